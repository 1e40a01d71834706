"""The state directory's seats: one process a shard number, known by a host id that outlives it."""

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

from models.errors import StartupRefused, Unavailable

LOOK_SECONDS = 0.2
"""Longer than anybody needs who only looks whether a seat is taken."""


@contextmanager
def hold_shard(state_dir: Path, shard: int) -> Iterator[UUID]:
    """Sit on this shard's seat; its host id, the same after every restart.

    Whoever holds the seat knows that its former holder is dead: the kernel drops the lock with
    its process. Raises Unavailable while another process holds it.
    """
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state_dir / f"shard-{shard}.lock").open("a+") as seat:
        if not _sit(seat.fileno()):
            raise Unavailable(
                f"{state_dir}: a daemon with shard {shard} runs here already;"
                " stop it, or start this one with another --shard"
            )
        announcement(state_dir, shard).unlink(missing_ok=True)  # A killed holder's.
        yield _host_id(state_dir / f"shard-{shard}.id")


def running_shards(state_dir: Path) -> set[int]:
    """The numbers of the daemons of this state directory that are alive. Raises OSError."""
    return {_number(seat) for seat in _files(state_dir, "shard-*.lock") if _is_held(seat)}


def daemon_runs(state_dir: Path) -> bool:
    """Whether any daemon of this state directory is alive."""
    return bool(running_shards(state_dir))


def listen_of(listen: str, number: int, *, key: str = "web.listen", who: str = "shard") -> str:
    """Where a process answers: the configured port plus its number. Port 0 picks a free one."""
    host, _, port = listen.rpartition(":")
    own = int(port) and int(port) + number
    if own > 65535:
        raise StartupRefused(
            f"{key}: port {port} plus {who} {number} is above 65535; choose a lower port"
        )
    return f"{host}:{own}"


@contextmanager
def announced(state_dir: Path, shard: int, listen: str) -> Iterator[None]:
    """Tell local commands where this daemon answers, in ``shard-N.json``, while it runs."""
    file = announcement(state_dir, shard)
    _write(file, ".new", json.dumps({"pid": os.getpid(), "listen": listen}))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def announcement(state_dir: Path, shard: int) -> Path:
    """The file that says where a shard answers; one without a daemon was left by a killed one."""
    return state_dir / f"shard-{shard}.json"


def announcements(state_dir: Path) -> dict[int, str]:
    """Where each shard said that it answers; empty for a note that cannot be read.

    Raises OSError where the directory cannot be looked into.
    """
    return {_number(file): _listen(file) for file in _files(state_dir, "shard-*.json")}


def _files(state_dir: Path, pattern: str) -> list[Path]:
    # Not glob: to it, a directory that may not be read is an empty one.
    try:
        return [file for file in state_dir.iterdir() if file.match(pattern)]
    except FileNotFoundError:
        return []


def _listen(file: Path) -> str:
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["listen"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _number(file: Path) -> int:
    return int(re.sub(r"\D", "", file.stem) or 0)


def _sit(seat: int) -> bool:
    """Try for a moment: whoever merely looks holds the seat for an instant too."""
    end = time.monotonic() + LOOK_SECONDS
    while True:
        try:
            fcntl.flock(seat, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        else:
            return True


def _host_id(file: Path) -> UUID:
    try:
        return UUID(file.read_text(encoding="utf-8").strip())
    except (FileNotFoundError, ValueError):
        host = uuid4()
        _write(file, ".tmp", f"{host}\n")
        return host


def _write(file: Path, ending: str, text: str) -> None:
    temporary = file.with_suffix(ending)
    try:
        temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        error.filename = error.filename or str(temporary)  # A full disk does not say where.
        raise
    temporary.replace(file)


def _is_held(seat: Path) -> bool:
    with seat.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
