"""How a server is started so that it never outlives its keeper, as root too."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO

NOBODY = 65534
_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1


class Identity(Enum):
    """Whom a server runs as; PostgreSQL refuses to be root.

    NAMESPACE is ``nobody`` inside a one-user namespace: files stay root's own, and it is not a
    privilege boundary. NOBODY is the real user, for containers that forbid namespaces.
    """

    SELF = "self"
    NAMESPACE = "namespace"
    NOBODY = "nobody"


def identity_for(data: Path) -> Identity:
    """Whom PostgreSQL must run as here; an existing *data* folder has decided it already."""
    if os.geteuid():
        return Identity.SELF
    if data.exists():
        return Identity.NOBODY if data.stat().st_uid == NOBODY else Identity.NAMESPACE
    probe = os.fork()
    if probe == 0:
        os._exit(1 if ctypes.CDLL(None).unshare(_CLONE_NEWUSER) else 0)
    return Identity.NAMESPACE if os.waitpid(probe, 0)[1] == 0 else Identity.NOBODY


@dataclass(frozen=True, slots=True)
class Command:
    """One program to run: what, where, as whom, and the signal that ends it in good order."""

    argv: Sequence[str | Path]
    cwd: Path
    env: Mapping[str, str]
    stop: signal.Signals = signal.SIGTERM
    identity: Identity = Identity.SELF

    def spawn(self, *, log: IO[bytes], lock: IO[str]) -> subprocess.Popen[bytes]:
        """Start it; it and its children hold *lock* until the last of them has ended."""
        return subprocess.Popen(
            [str(word) for word in self.argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self.cwd,
            env=self.env,
            pass_fds=(lock.fileno(),),
            preexec_fn=self._prepare(),
        )

    def run(self, *, text: str = "", lock: IO[str]) -> "subprocess.CompletedProcess[str]":
        """Run it to its end with *text* as its input; it dies with the keeper."""
        return subprocess.run(
            [str(word) for word in self.argv],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.cwd,
            env=self.env,
            pass_fds=(lock.fileno(),),
            preexec_fn=self._prepare(),
        )

    def _prepare(self) -> Callable[[], None]:
        # All that the child needs is loaded here: after the fork only system calls are safe.
        libc, keeper, identity, stop = ctypes.CDLL(None), os.getpid(), self.identity, self.stop

        def prepare() -> None:
            os.setpgid(0, 0)
            if identity is Identity.NAMESPACE:
                libc.unshare(_CLONE_NEWUSER)
                _map_root_to_nobody()
            elif identity is Identity.NOBODY:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            if sys.platform == "linux":
                libc.prctl(_PR_SET_PDEATHSIG, stop)
                if os.getppid() != keeper:  # It died before we could ask for the signal.
                    os._exit(1)

        return prepare


def _map_root_to_nobody() -> None:
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")
    (own / "uid_map").write_text(f"{NOBODY} 0 1")
    (own / "gid_map").write_text(f"{NOBODY} 0 1")
