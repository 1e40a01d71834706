"""Files of JSON lines that several processes add to: what is in them outlives them all."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any


class Tail:
    """A file of lines that grows: each look gives those that are new."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._at = 0

    def lines(self) -> list[dict[str, Any]]:
        """The whole lines since the last look."""
        with contextlib.suppress(FileNotFoundError), self._file.open("rb") as file:
            file.seek(self._at)
            whole, newline, _ = file.read().rpartition(b"\n")
            self._at += len(whole) + len(newline)
            return [json.loads(line) for line in whole.splitlines()]
        return []


def append(file: Path, line: dict[str, Any]) -> None:
    """Add one line; it is on the disk when this returns."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, (json.dumps(line) + "\n").encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(file: Path) -> list[dict[str, Any]]:
    """All lines so far."""
    return Tail(file).lines()
