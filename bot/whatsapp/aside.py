"""Events that intake fails on again and again by a defect of ours: kept until somebody acts.

Each has a file of its own beside the journal, so that nothing waits behind it and nothing vanishes.
``lyrox aside`` orders what becomes of one by giving its file another ending; whoever holds the
company does it. Another version of this program is given each of them once more.
"""

import binascii
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib.metadata import version
from pathlib import Path
from uuid import UUID

from bot.whatsapp.files import read_whole, write_whole
from bot.whatsapp.journal_records import Entry

FOLDER = "aside"
_KEPT = ".json"


class Order(StrEnum):
    """What is to be done with an event."""

    RETRY = ".retry"
    DROP = ".drop"


@dataclass(frozen=True, slots=True)
class SetAside:
    """One event, when it was set aside and why: the name of the error, never its words."""

    file: Path
    entry: Entry
    why: str
    at: str
    program: str


class Aside:
    """One company's events that were set aside; safe to use from any thread and process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, entry: Entry, *, why: str, at: datetime) -> None:
        """Keep an event; it is on the disk when this returns. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        words = {"code": str(entry.code), "raw": entry.raw.hex(), "why": why, "program": _program()}
        write_whole(self._file(entry.seq, _KEPT), words | {"at": at.isoformat()})

    def numbers(self) -> set[int]:
        """Of the events that are here."""
        return {int(each.stem) for each in self._files(_KEPT, *Order)}

    def events(self, *endings: str) -> list[SetAside]:
        """The readable ones with such endings, the oldest first; by default all of them."""
        files = self._files(*(endings or (_KEPT, *Order)))
        return [event for event in map(_read, files) if event is not None]

    def count(self) -> int:
        """How many wait for somebody to act."""
        return len(self._files(_KEPT))

    def highest(self) -> int:
        """The highest number that one has; 0 where none is here."""
        return max(self.numbers(), default=0)

    def order(self, order: Order, seq: int | None = None) -> int:
        """Have one event, or all, taken in again or dropped; how many that are."""
        files = [each for each in self._files(_KEPT) if seq in (None, int(each.stem))]
        return sum(_ordered(each, order) for each in files)

    def order_upgraded(self) -> None:
        """Have those taken in again that another version of this program failed on."""
        for event in self.waiting():
            if event.program != _program():
                self.order(Order.RETRY, event.entry.seq)

    def waiting(self) -> list[SetAside]:
        """Those that wait for somebody to act, the oldest first."""
        return self.events(_KEPT)

    def ordered(self) -> list[SetAside]:
        """Those that somebody has decided on."""
        return self.events(*Order)

    def _files(self, *endings: str) -> list[Path]:
        try:
            with os.scandir(self._folder) as found:
                names = [each.name for each in found]
        except FileNotFoundError:
            return []
        ours = (name for name in sorted(names) if name.partition(".")[0].isdecimal())
        return [self._folder / name for name in ours if name.endswith(endings)]

    def _file(self, seq: int, ending: str) -> Path:
        return self._folder / f"{seq:020d}{ending}"


def aside_of(state_dir: Path, company_id: UUID) -> Aside:
    """One company's, for whoever only orders."""
    return Aside(state_dir / "journal" / str(company_id) / FOLDER)


def set_aside_in(state_dir: Path) -> dict[UUID, int]:
    """How many events wait for somebody to act, by company; those without any are left out.

    Raises OSError where the journals cannot be looked into.
    """
    counts = {company: Aside(folder).count() for company, folder in _folders(state_dir)}
    return {company: count for company, count in counts.items() if count}


def _folders(state_dir: Path) -> Iterator[tuple[UUID, Path]]:
    for journal in _journals(state_dir / "journal"):
        for folder in journal.glob(FOLDER):
            with suppress(ValueError):
                yield UUID(journal.name), folder


def _journals(folder: Path) -> list[Path]:
    # Not glob: to it, a directory that may not be read is an empty one.
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _ordered(file: Path, order: Order) -> bool:
    """Whether it was there still: somebody else may order it at the same time."""
    try:
        file.rename(file.with_suffix(order))
    except FileNotFoundError:
        return False
    return True


def _read(file: Path) -> SetAside | None:
    words = read_whole(file)
    try:
        entry = Entry(int(file.stem), int(words["code"]), binascii.unhexlify(words["raw"]))
        return SetAside(file, entry, words["why"], words["at"], words["program"])
    except (KeyError, ValueError):
        return None


@cache
def _program() -> str:
    return version("lyrox")
