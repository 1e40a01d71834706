"""How an event stands in a journal's file: a checked record, whole or not there."""

import logging
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)

RELEASED = 255
"""The code of a record that says only that the event of its number is stored elsewhere."""

_HEAD = struct.Struct("<4sIIQB")  # mark, length, checksum, sequence, code
_MARK = b"LYX1"


class Entry(NamedTuple):
    """One event as it came: its place in the journal, the client's code, the raw bytes."""

    seq: int
    code: int
    raw: bytes


def record(seq: int, code: int, raw: bytes) -> bytes:
    """An event as it is written."""
    return _HEAD.pack(_MARK, len(raw), _checksum(seq, code, raw), seq, code) + raw


def _checksum(seq: int, code: int, raw: bytes) -> int:
    return zlib.crc32(raw, zlib.crc32(struct.pack("<QB", seq, code)))


def records(path: Path) -> Iterator[Entry]:
    """The whole records of a file; what follows the first broken one was never promised."""
    data = path.read_bytes()
    at = 0
    while at < len(data):
        found = _one_record(data, at)
        if found is None:
            log.warning("a torn journal tail is left out", extra={"file": path.name, "at": at})
            return
        yield found
        at += _HEAD.size + len(found.raw)


def _one_record(data: bytes, at: int) -> Entry | None:
    if len(data) - at < _HEAD.size:
        return None
    mark, length, checksum, seq, code = _HEAD.unpack_from(data, at)
    raw = data[at + _HEAD.size : at + _HEAD.size + length]
    whole = mark == _MARK and len(raw) == length and checksum == _checksum(seq, code, raw)
    return Entry(seq, code, raw) if whole else None
