"""What WhatsApp delivered and we have not yet stored, on the local disk.

WhatsApp forgets a message once the client has it, so the client's callback returns only when
the event's raw bytes are here. An entry stays until it is released; whatever was not released
when the process died comes back, in order, when the journal is opened again.
"""

import errno
import logging
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)

_HEAD = struct.Struct("<4sIIQB")  # mark, length, checksum, sequence, code
_MARK = b"LYX1"
_RELEASED = 255


class Entry(NamedTuple):
    """One event as it came: its place in the journal, the client's code, the raw bytes."""

    seq: int
    code: int
    raw: bytes


@dataclass
class _Segment:
    path: Path
    waiting: set[int]


class Journal:
    """One company's journal; every method may be called from any thread.

    A released entry may come back after a crash (its release was not yet on disk), so taking
    an entry must be idempotent. A segment's file goes when all of its entries are released.
    """

    def __init__(self, directory: Path, *, segment_bytes: int = 4 * 2**20) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._appending = threading.Lock()  # Held over the wait for the disk.
        self._changing = threading.Lock()  # Held briefly, so a release never waits for the disk.
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._segments: list[_Segment] = []
        self._left = self._recover()
        self._next = self._highest + 1
        self._fd = self._begin_segment()

    def leftovers(self) -> list[Entry]:
        """What an earlier process left unreleased, oldest first; handed out once."""
        left, self._left = self._left, []
        return left

    @property
    def waiting(self) -> int:
        """How many entries are not yet released."""
        with self._changing:
            return sum(len(segment.waiting) for segment in self._segments)

    def append(self, code: int, raw: bytes) -> int:
        """Keep the event and return its sequence number; it is on the disk by then."""
        with self._appending:
            with self._changing:
                seq, self._next = self._next, self._next + 1
                self._write(_record(seq, code, raw))
                self._segments[-1].waiting.add(seq)
                fd = self._fd
            _flush(fd)
            if os.fstat(fd).st_size >= self._segment_bytes:
                self._roll()
            return seq

    def release(self, seq: int) -> None:
        """The event is stored elsewhere now; forget it."""
        with self._changing:
            for segment in self._segments:
                segment.waiting.discard(seq)
            try:
                self._write(_record(seq, _RELEASED, b""))
            except OSError as error:  # It merely comes back after a restart.
                log.warning("a journal release is not on disk", extra={"error": str(error)})
            self._drop_done()

    def close(self) -> None:
        """Close the file; unreleased entries stay for the next opening."""
        with self._appending, self._changing:
            os.close(self._fd)
            self._fd = -1  # A late caller gets an error, never another file's number.

    def _write(self, record: bytes) -> None:
        """All of *record* or nothing: a full disk must not leave half a record in the middle."""
        size = os.fstat(self._fd).st_size
        try:
            if os.write(self._fd, record) == len(record):
                return
        except OSError:
            os.ftruncate(self._fd, size)
            raise
        os.ftruncate(self._fd, size)
        raise OSError(errno.ENOSPC, f"the disk is full, {self._directory} cannot grow")

    def _roll(self) -> None:
        with self._changing:
            os.close(self._fd)
            self._fd = self._begin_segment()
            self._drop_done()

    def _begin_segment(self) -> int:
        path = self._directory / f"{self._next:020d}.journal"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        _flush_directory(self._directory)
        self._segments.append(_Segment(path, set()))
        return fd

    def _drop_done(self) -> None:
        done = [segment for segment in self._segments[:-1] if not segment.waiting]
        for segment in done:
            segment.path.unlink(missing_ok=True)
            self._segments.remove(segment)

    def _recover(self) -> list[Entry]:
        entries: dict[int, Entry] = {}
        self._highest = 0
        for path in sorted(self._directory.glob("*.journal")):
            found = {entry.seq: entry for entry in self._read(path, entries)}
            self._segments.append(_Segment(path, set(found)))
            entries |= found
        for segment in self._segments:
            segment.waiting &= entries.keys()
        self._drop_finished_files()
        return [entries[seq] for seq in sorted(entries)]

    def _read(self, path: Path, earlier: dict[int, Entry]) -> Iterator[Entry]:
        """The file's unreleased entries; releases of entries in *earlier* files apply at once."""
        own: dict[int, Entry] = {}
        self._highest = max(self._highest, int(path.stem) - 1)
        for entry in _records(path):
            self._highest = max(self._highest, entry.seq)
            if entry.code != _RELEASED:
                own[entry.seq] = entry
                continue
            own.pop(entry.seq, None)
            earlier.pop(entry.seq, None)
        yield from own.values()

    def _drop_finished_files(self) -> None:
        for segment in [one for one in self._segments if not one.waiting]:
            segment.path.unlink(missing_ok=True)
            self._segments.remove(segment)


def _record(seq: int, code: int, raw: bytes) -> bytes:
    return _HEAD.pack(_MARK, len(raw), _checksum(seq, code, raw), seq, code) + raw


def _checksum(seq: int, code: int, raw: bytes) -> int:
    return zlib.crc32(raw, zlib.crc32(struct.pack("<QB", seq, code)))


def _records(path: Path) -> Iterator[Entry]:
    """The whole records of a file; what follows the first broken one was never promised."""
    data = path.read_bytes()
    at = 0
    while at < len(data):
        record = _one_record(data, at)
        if record is None:
            log.warning("a torn journal tail is left out", extra={"file": path.name, "at": at})
            return
        yield record
        at += _HEAD.size + len(record.raw)


def _one_record(data: bytes, at: int) -> Entry | None:
    if len(data) - at < _HEAD.size:
        return None
    mark, length, checksum, seq, code = _HEAD.unpack_from(data, at)
    raw = data[at + _HEAD.size : at + _HEAD.size + length]
    whole = mark == _MARK and len(raw) == length and checksum == _checksum(seq, code, raw)
    return Entry(seq, code, raw) if whole else None


def _flush(fd: int) -> None:
    getattr(os, "fdatasync", os.fsync)(fd)


def _flush_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
