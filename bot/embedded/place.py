"""Where the private stores live, and the locks that say who is alive there.

Every lock is an flock: the kernel drops it with its last holder, so nothing goes stale.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from models.errors import StartupRefused, Unavailable

POSTGRES, VALKEY, MONGOD = "postgres", "valkey", "mongod"

# A socket path holds 103 bytes on macOS; our longest name below the folder takes 22.
_LONGEST_RUN = 75


@dataclass(frozen=True, slots=True)
class Place:
    """One data root: ``root`` holds data, logs and locks, ``run`` the sockets."""

    root: Path
    run: Path

    @classmethod
    def at(cls, root: Path) -> "Place":
        """The place of *root*, with its folders made; refuses what is not ours alone."""
        root = root.absolute()
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            run = _run_folder(root)
            run.mkdir(mode=0o700, exist_ok=True)
            (root / "start.lock").open("a").close()
        except OSError as error:
            raise StartupRefused(
                f"{root}: cannot keep the private stores there ({error.strerror}):"
                " run as the user who made it, or change stores.data_dir"
            ) from None
        if run.is_symlink() or run.stat().st_uid != os.geteuid() or run.stat().st_mode & 0o066:
            raise StartupRefused(
                f"{run}: is not a folder of ours alone (0700): run as the user who made {root},"
                " or change stores.data_dir"
            )
        return cls(root, run)

    @property
    def door(self) -> Path:
        """The keeper's socket."""
        return self.run / "keeper.sock"

    def log(self, name: str) -> Path:
        """Where *name* writes what it has to say."""
        return self.root / f"{name}.log"


def _run_folder(root: Path) -> Path:
    run = root / "run"
    if len(os.fsencode(run)) <= _LONGEST_RUN:
        return run
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    # Not gettempdir(): every user of this root must come to the same answer.
    return Path(f"/tmp/lyrox-{os.geteuid()}-{digest}")  # noqa: S108 - checked to be ours alone


def try_lock(path: Path) -> IO[str] | None:
    """The locked file, or None while somebody else holds it; its content is kept."""
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


@contextmanager
def locked(
    path: Path, seconds: float, *, given_up: Callable[[], bool] = lambda: False
) -> Iterator[IO[str]]:
    """Hold *path*'s lock, waiting at most *seconds*, or until somebody gives up."""
    end = time.monotonic() + seconds
    while (file := try_lock(path)) is None:
        if time.monotonic() > end or given_up():
            raise Unavailable(f"{path}: another process holds it: wait for it or end it")
        time.sleep(0.02)
    with file:
        yield file


def write_pid(file: IO[str], pid: int) -> None:
    """Leave *pid* in a locked file: for people, and true as long as the lock is held."""
    file.truncate(0)
    file.write(f"{pid}\n")
    file.flush()
