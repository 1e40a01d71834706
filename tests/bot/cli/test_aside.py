"""``lyrox aside``: what intake fails on is shown, taken in again, or dropped."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from bot.whatsapp.aside import Aside, aside_of
from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.journal_records import Entry
from tests.bot.cli.conftest import Lyrox

AT = datetime(2026, 11, 12, 9, tzinfo=UTC)


@pytest.fixture
def acme(lyrox: Lyrox, config: Path, slug: str) -> UUID:
    """A company of that slug, and its id."""
    facts = ("--name", "Acme", "--personality", "Eres Ana.", "--owner", "ana@acme.test")
    lyrox("company", "add", slug, *facts, "--config", config)
    return UUID(json.loads(lyrox("company", "show", slug, "--json", "--config", config).out)["id"])


def set_aside(config: Path, company: UUID, *numbers: int) -> Aside:
    state_dir = config.parent / "var" / "state"
    files = CompanyFiles(state_dir, company)
    files.prepare()
    files.journal.mkdir(parents=True)
    aside = aside_of(state_dir, company)
    for number in numbers:
        aside.keep(Entry(number, 17, b"hola"), why="KeyError", at=AT)
    return aside


def test_each_is_listed_with_its_company_and_why(
    lyrox: Lyrox, config: Path, slug: str, acme: UUID
) -> None:
    assert lyrox("aside", "list", "--config", config).out == "nothing is set aside\n"
    unknown = uuid4()
    set_aside(config, acme, 7, 8)
    set_aside(config, unknown, 9)

    said = lyrox("aside", "list", "--json", "--config", config)
    shown = lyrox("aside", "list", "--config", config).out

    found = {
        (one["company"], one["number"], one["why"], one["bytes"]) for one in json.loads(said.out)
    }
    assert found == {
        *((slug, 7, "KeyError", 4), (slug, 8, "KeyError", 4)),
        (str(unknown), 9, "KeyError", 4),
    }
    assert shown.splitlines()[0].split() == ["COMPANY", "NUMBER", "SINCE", "WHY", "BYTES", "FILE"]
    assert "hola" not in shown


def test_one_all_of_a_company_or_all_are_ordered_back(
    lyrox: Lyrox, config: Path, slug: str, acme: UUID
) -> None:
    aside, other = set_aside(config, acme, 7, 8, 9), set_aside(config, uuid4(), 1)

    one = lyrox("aside", "retry", slug, 8, "--config", config)
    assert [event.entry.seq for event in aside.ordered()] == [8]
    rest = lyrox("aside", "retry", slug, "--config", config)
    assert (aside.count(), other.count()) == (0, 1)
    lyrox("aside", "retry", "--config", config)

    assert other.count() == 0
    assert (one.out.split(" for ")[0], rest.out.split(" for ")[0]) == ("1 message", "2 messages")


def test_one_is_dropped_and_what_is_not_there_is_a_mistake(
    lyrox: Lyrox, config: Path, acme: UUID
) -> None:
    aside = set_aside(config, acme, 7)

    wrong = lyrox("aside", "drop", acme, 8, "--config", config)
    right = lyrox("aside", "drop", acme, 7, "--config", config)
    again = lyrox("aside", "retry", acme, "--config", config)

    assert (wrong.code, right.code, again.code) == (2, 0, 2)
    assert right.out == "1 message dropped\n"
    assert f"nothing of {acme} is set aside under the number 8" in wrong.err
    assert [event.file.suffix for event in aside.ordered()] == [".drop"]


def test_all_of_a_company_are_dropped_only_when_that_is_said(
    lyrox: Lyrox, config: Path, acme: UUID
) -> None:
    aside = set_aside(config, acme, 7, 8)

    unsaid = lyrox("aside", "drop", acme, "--config", config)
    assert aside.count() == 2
    said = lyrox("aside", "drop", acme, "--all", "--config", config)

    assert (unsaid.code, said.code, said.out) == (2, 0, "2 messages dropped\n")
    assert aside.count() == 0
