"""A company's small files, whoever writes them at the same time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from bot.whatsapp.aside import Aside, Order, aside_of, set_aside_in
from bot.whatsapp.files import read_whole, write_whole
from bot.whatsapp.journal_records import Entry


def test_two_who_write_the_same_words_at_once_both_do(tmp_path: Path) -> None:
    note = tmp_path / "note.json"

    def write(number: int) -> None:
        for _ in range(25):
            write_whole(note, {"by": str(number)})

    with ThreadPoolExecutor(4) as writers:
        list(writers.map(write, range(4)))

    assert read_whole(note)["by"] in "0123"
    assert [path.name for path in tmp_path.iterdir()] == ["note.json"]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "note.json").mkdir()

    with pytest.raises(OSError, match=r"note\.json"):
        write_whole(tmp_path / "note.json", {"by": "0"})

    assert [path.name for path in tmp_path.iterdir()] == ["note.json"]


def test_two_who_order_at_once_order_each_event_once(tmp_path: Path) -> None:
    aside = Aside(tmp_path / "aside")
    for number in range(200):
        aside.keep(Entry(number, 17, b"hola"), why="KeyError", at=datetime.now(UTC))

    with ThreadPoolExecutor(4) as desks:
        ordered = list(desks.map(aside.order, [Order.RETRY, Order.DROP] * 2))

    assert sum(ordered) == 200
    assert aside.count() == 0


def test_journals_that_cannot_be_looked_into_are_not_taken_for_none(tmp_path: Path) -> None:
    company, journal = uuid4(), tmp_path / "journal"
    assert set_aside_in(tmp_path) == {}
    for folder in (journal / str(uuid4()), journal / "strange" / "aside", journal / str(company)):
        folder.mkdir(parents=True)
    kept = aside_of(tmp_path, company)
    kept.keep(Entry(1, 17, b"hola"), why="KeyError", at=datetime.now(UTC))
    assert set_aside_in(tmp_path) == {company: 1}

    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "journal").touch()
    with pytest.raises(NotADirectoryError):
        set_aside_in(tmp_path / "other")
