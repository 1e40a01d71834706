"""The state directory's seats: one process a shard number, known by a host id that outlives it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

from models.errors import Unavailable


@contextmanager
def hold_shard(state_dir: Path, shard: int) -> Iterator[UUID]:
    """Sit on this shard's seat; its host id, the same after every restart.

    Whoever holds the seat knows that its former holder is dead: the kernel drops the lock with
    its process. Raises Unavailable while another process holds it.
    """
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state_dir / f"shard-{shard}.lock").open("a+") as seat:
        try:
            fcntl.flock(seat, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable(
                f"{state_dir}: a daemon with shard {shard} runs here already;"
                " stop it, or start this one with another --shard"
            ) from None
        yield _host_id(state_dir / f"shard-{shard}.id")


def daemon_runs(state_dir: Path) -> bool:
    """Whether any daemon of this state directory is alive."""
    return any(_is_held(seat) for seat in state_dir.glob("shard-*.lock"))


@contextmanager
def announced(state_dir: Path, listen: str) -> Iterator[None]:
    """Tell local commands where this daemon answers, in ``daemon.json``, while it runs."""
    file = state_dir / "daemon.json"
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps({"pid": os.getpid(), "listen": listen}), encoding="utf-8")
    temporary.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _host_id(file: Path) -> UUID:
    try:
        return UUID(file.read_text(encoding="utf-8").strip())
    except (FileNotFoundError, ValueError):
        host = uuid4()
        temporary = file.with_suffix(".tmp")
        temporary.write_text(f"{host}\n", encoding="utf-8")
        temporary.replace(file)
        return host


def _is_held(seat: Path) -> bool:
    with seat.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
