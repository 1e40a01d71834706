"""Who holds a company's session file: a lock that ends with its process, however that ends."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def holding(lock: Path, use: str = "hosting", *, patience: float = 0.0) -> Iterator[bool]:
    """Try to hold *lock* for the block; yields whether it is ours. It ends with the process.

    *use* is what others may read about it meanwhile. *patience* seconds (blocking) outlast those
    who only look whether it is held.
    """
    fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        ours = _locked(fd, patience)
        if ours:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{use} by process {os.getpid()}".encode(), 0)
        yield ours
    finally:
        os.close(fd)


def holder(lock: Path) -> str:
    """What the holder of *lock* says of itself, or "" if nobody holds it."""
    try:
        fd = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return "" if _locked(fd) else os.pread(fd, 100, 0).decode(errors="replace") or "somebody"
    finally:
        os.close(fd)


def _locked(fd: int, patience: float = 0.0) -> bool:
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(0.01)
        else:
            return True
