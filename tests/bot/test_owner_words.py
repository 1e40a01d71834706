"""What counts as a command in the own chat, and what is answered."""

import pytest

from bot.owner_words import Command, answer, command_of

FIGURES = {
    "people": 7, "replies": 12, "handovers": 1, "with_you": 2, "sales": 3, "too_old": 4,
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "command", "language"),
    [
        ("hoy", Command.TODAY, "es"),
        ("  Hoy! ", Command.TODAY, "es"),
        ("PAUSA", Command.PAUSE, "es"),
        ("sigue", Command.RESUME, "es"),
        ("ayuda", Command.HELP, "es"),
        ("resume", Command.RESUME, "en"),
        ("help", Command.HELP, "en"),
    ],
)
def test_one_word_is_a_command(text: str, command: Command, language: str) -> None:
    assert command_of(text) == (command, language)


@pytest.mark.parametrize("text", ["", "hoy no puedo", "pausa mañana", "ho y", "hoy " * 100, "…"])
def test_anything_more_is_a_note(text: str) -> None:
    assert command_of(text) is None


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("command", list(Command))
def test_every_command_has_its_words_in_both_languages(command: Command, language: str) -> None:
    text = answer(command, language, FIGURES)

    assert text
    assert "$" not in text
    if command is Command.TODAY:
        assert [str(number) for number in FIGURES.values()] == [
            line.rpartition(": ")[2] for line in text.splitlines()[1:]
        ]


def test_the_day_says_when_the_company_is_paused() -> None:
    assert "sigue" in answer(Command.TODAY, "es", {**FIGURES, "paused": True})
