"""docs/operations.md says of WhatsApp's states what the code does."""

from pathlib import Path

import pytest

from bot.whatsapp.patience import PATIENCE
from bot.whatsapp.reasons import MEANINGS, Reason
from bot.whatsapp.transitions import TABLE, Row, Seen

DOCUMENT = Path(__file__).parents[3] / "docs" / "operations.md"
SECTION = (
    DOCUMENT.read_text(encoding="utf-8")
    .partition("## The states of WhatsApp\n")[2]
    .partition("\n## ")[0]
)
CAUSED = [seen for seen, row in TABLE.items() if row.causes]


def reason_line(reason: Reason) -> str:
    meaning = MEANINGS[reason]
    words = f"{meaning.en} {meaning.next_en}".format(until="", detail="")
    return f"| `{reason}` | {meaning.phase} | {meaning.way_out} | {words} |"


def cause_line(row: Row) -> str:
    follows = f"`{row.reason}`" if row.reason else "nothing yet"
    return f"| {'; '.join(row.causes)} | {follows} |"


@pytest.mark.parametrize("reason", list(Reason))
def test_each_reason_stands_there_with_its_way_out(reason: Reason) -> None:
    assert reason_line(reason) in SECTION.splitlines()


@pytest.mark.parametrize("seen", CAUSED)
def test_each_cause_stands_there_with_what_follows(seen: Seen) -> None:
    assert cause_line(TABLE[seen]) in SECTION.splitlines()


def test_nothing_else_stands_there() -> None:
    rows = [line for line in SECTION.splitlines() if line.startswith("| ")]
    heads = 2

    assert len(rows) == heads + len(Reason) + len(CAUSED)


def test_the_pauses_are_those_of_the_code() -> None:
    words = " ".join(SECTION.split())

    assert f"from {PATIENCE.first:.0f} s to {PATIENCE.longest / 60:.0f} min" in words
    assert f"long pause is {PATIENCE.rare / 60:.0f} min" in words
    assert f"at least {PATIENCE.ban:.0f} s" in words
    assert f"{PATIENCE.endless_ban / 3600:.0f} h where WhatsApp names no end" in words
