"""Spanish unless the customer's own words are English."""

import pytest

from handlers import language, language_of
from models.values import Sender
from tests.handlers.making import line, turn


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("how much is the plan?", "en"),
        ("Hola, how much is it?", "en"),
        ("¿cuánto cuesta el plan?", "es"),
        ("buenos días", "es"),
        ("ok", None),
        ("👍", None),
        ("", None),
        ("the the the" + " hola" * 500, "es"),
    ],
)
def test_the_words_tell_the_language(text: str, known: str | None) -> None:
    assert language_of(text) == known


def test_where_the_turn_tells_nothing_what_was_written_before_does() -> None:
    history = (line("buenas"), line("how much is it?"), line("con gusto", Sender.AGENT))

    assert language(turn("ok", history=history)) == "en"
    assert language(turn("gracias", history=history)) == "es"


def test_where_nothing_tells_it_is_spanish() -> None:
    assert language(turn("98", history=(line("how much is it?", Sender.AGENT),))) == "es"
