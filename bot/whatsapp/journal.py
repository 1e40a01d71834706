"""What WhatsApp delivered and we have not yet stored, on the local disk.

WhatsApp forgets a message once the client has it, so the client's callback returns only when
the event's raw bytes are here. An entry stays until it is released; whatever was not released
when the process died comes back, in order, when the journal is opened again.
"""

import errno
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bot.whatsapp.aside import FOLDER, Aside
from bot.whatsapp.journal_records import RELEASED, Entry, record, records

log = logging.getLogger(__name__)

MOST_BYTES = 64 * 2**20
MOST_ENTRIES = 20_000
"""A start reads them all before anything is sent: one may be the owner's."""


class Refusal(StrEnum):
    """Why a journal takes nothing now."""

    DISK = "disk_full"
    BOUND = "journal_full"


class JournalFull(OSError):
    """The company's journal holds as much as it may; room comes when intake takes some."""


@dataclass
class _Segment:
    path: Path
    waiting: set[int]
    size: int = 0


class Journal:
    """One company's journal; every method may be called from any thread.

    A released entry may come back after a crash (its release was not yet on disk), so taking
    an entry must be idempotent. A segment's file goes when all of its entries are released.
    Its files take *most_bytes* at most, give or take an entry, and hold *most_entries* that wait.
    """

    def __init__(
        self,
        directory: Path,
        *,
        segment_bytes: int = 4 * 2**20,
        most_bytes: int = MOST_BYTES,
        most_entries: int = MOST_ENTRIES,
    ) -> None:
        self.refusal: Refusal | None = None
        """Why the newest entry was not taken; None once one is."""
        self.aside = Aside(directory / FOLDER)
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._most_bytes = most_bytes
        self._most_entries = most_entries
        self._appending = threading.Lock()  # Held over the wait for the disk.
        self._changing = threading.Lock()  # Held briefly, so a release never waits for the disk.
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._segments: list[_Segment] = []
        self._highest = 0
        self._recover()
        self._next = max(self._highest, self.aside.highest()) + 1
        self._fd = self._begin_segment()

    def entries(self) -> Iterator[Entry]:
        """What waits, oldest first, read back from the disk as far as it is asked for."""
        with self._changing:
            segments = [segment for segment in self._segments if segment.waiting]
        for segment in segments:
            yield from self._of(segment)

    @property
    def waiting(self) -> int:
        """How many entries are not yet released."""
        with self._changing:
            return self._count()

    def waits(self, seq: int) -> bool:
        """Whether that entry is not yet released."""
        with self._changing:
            return any(seq in segment.waiting for segment in self._segments)

    def append(self, code: int, raw: bytes) -> int:
        """Keep the event and return its sequence number; it is on the disk by then.

        Raises JournalFull at its bound, and OSError where the disk takes nothing.
        """
        try:
            seq = self._append(code, raw)
        except OSError as error:
            self.refusal = Refusal.BOUND if isinstance(error, JournalFull) else Refusal.DISK
            raise
        self.refusal = None
        return seq

    def find(self, seq: int) -> Entry | None:
        """An entry that waits, read back from the disk."""
        with self._changing:
            segments = [segment for segment in self._segments if seq in segment.waiting]
        found = (entry for segment in segments for entry in self._of(segment))
        return next((entry for entry in found if entry.seq == seq), None)

    def release(self, seq: int) -> None:
        """The event is stored elsewhere now; forget it."""
        with self._changing:
            self._forget(seq)
            try:
                self._write(record(seq, RELEASED, b""))
            except OSError as error:  # It merely comes back after a restart.
                log.warning("a journal release is not on disk", extra={"error": str(error)})
            self._drop_done()

    def close(self) -> None:
        """Close the file; unreleased entries stay for the next opening."""
        with self._appending, self._changing:
            os.close(self._fd)
            self._fd = -1  # A late caller gets an error, never another file's number.

    def _append(self, code: int, raw: bytes) -> int:
        with self._appending:
            with self._changing:
                self._keep_to_the_bound()
                seq, self._next = self._next, self._next + 1
                self._write(record(seq, code, raw))
                segment, fd = self._segments[-1], self._fd
            _flush(fd)
            with self._changing:
                segment.waiting.add(seq)
            if segment.size >= self._segment_bytes:
                self._roll()
            return seq

    def _count(self) -> int:
        return sum(len(segment.waiting) for segment in self._segments)

    def _keep_to_the_bound(self) -> None:
        held = sum(segment.size for segment in self._segments)
        if held >= self._most_bytes or self._count() >= self._most_entries:
            told = f"{self._directory} holds all it may: {self._count()} events, {held} bytes"
            raise JournalFull(errno.EDQUOT, told)

    def _write(self, data: bytes) -> None:
        """All of *data* or nothing: a full disk must not leave half a record in the middle."""
        segment = self._segments[-1]
        size = segment.size
        try:
            if os.write(self._fd, data) == len(data):
                segment.size += len(data)
                return
        except OSError:
            os.ftruncate(self._fd, size)
            raise
        os.ftruncate(self._fd, size)
        raise OSError(errno.ENOSPC, f"the disk is full, {self._directory} cannot grow")

    def _roll(self) -> None:
        former = self._fd
        try:
            with self._changing:
                self._fd = self._begin_segment()
                os.close(former)
                self._drop_done()
        except OSError as error:  # The segment grows on.
            log.warning("no new journal segment can be begun", extra={"error": str(error)})

    def _begin_segment(self) -> int:
        path = self._directory / f"{self._next:020d}.journal"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            _flush_directory(self._directory)
        except OSError:
            os.close(fd)
            raise
        self._segments.append(_Segment(path, set()))
        return fd

    def _drop_done(self) -> None:
        done = [segment for segment in self._segments[:-1] if not segment.waiting]
        for segment in done:
            segment.path.unlink(missing_ok=True)
            self._segments.remove(segment)

    def _recover(self) -> None:
        paths = self._directory.glob("*.journal")
        for path in sorted(path for path in paths if path.stem.isdecimal()):  # No copy of one.
            segment = _Segment(path, set(), path.stat().st_size)
            self._segments.append(segment)
            self._highest = max(self._highest, int(path.stem) - 1)
            for entry in records(path):
                self._highest = max(self._highest, entry.seq)
                if entry.code == RELEASED:
                    self._forget(entry.seq)
                else:
                    segment.waiting.add(entry.seq)
        self._drop_finished_files()

    def _of(self, segment: _Segment) -> Iterator[Entry]:
        """The entries that wait in one file; nothing is read behind the last of them."""
        with self._changing:
            left = set(segment.waiting)
        for entry in records(segment.path) if left else ():
            if entry.code != RELEASED and entry.seq in left:
                left.remove(entry.seq)
                yield entry
                if not left:
                    return

    def _forget(self, seq: int) -> None:
        for segment in self._segments:
            segment.waiting.discard(seq)

    def _drop_finished_files(self) -> None:
        for segment in [one for one in self._segments if not one.waiting]:
            segment.path.unlink(missing_ok=True)
            self._segments.remove(segment)


def _flush(fd: int) -> None:
    getattr(os, "fdatasync", os.fsync)(fd)


def _flush_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
