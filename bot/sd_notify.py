"""Tells systemd that we are ready, alive, busy or stopping; says nothing where nobody listens."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


def notify(*lines: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send ``READY=1``, ``STATUS=…`` and the like; True when systemd has it. Never raises."""
    address = environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
        door.setblocking(False)
        try:
            door.connect("\0" + address[1:] if address[0] == "@" else address)
            door.sendall("\n".join(map(_one_line, lines)).encode("utf-8", "replace"))
        except OSError:
            return False
    return True


def extend(seconds: float, *, environ: Mapping[str, str] = os.environ) -> bool:
    """Ask for up to *seconds* more, from now, for the start or stop at hand.

    Ask again after two thirds of it at most, or systemd may lose patience first.
    """
    return notify(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}", environ=environ)


def watchdog_seconds(environ: Mapping[str, str] = os.environ) -> float | None:
    """How long systemd waits for a sign of life, or None; what is meant for others is not ours."""
    micros = environ.get("WATCHDOG_USEC", "")
    ours = environ.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
    return int(micros) / 1e6 if ours and micros.isdecimal() and int(micros) else None


class Watchdog:
    """Knows whether the loops that must never stand still still turn, and tells systemd.

    Each of them stamps its rounds. A loop that waits on purpose, for a store or a phone, stamps
    too: only standing still is a stall. *on_lag* hears how many seconds late the event loop was.
    """

    def __init__(
        self,
        *,
        on_lag: Callable[[float], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._on_lag = on_lag
        self._clock = clock
        self._environ = environ
        self._patience: dict[str, float] = {}
        self._stamped: dict[str, float] = {}

    def expect(self, name: str, *, within: float) -> Callable[[], None]:
        """From now on expect a stamp of *name* every *within* seconds; returns the stamp."""
        self._patience[name] = within
        self._stamp(name)
        return lambda: self._stamp(name)

    def forget(self, name: str) -> None:
        """Expect nothing more of *name*: it ended on purpose."""
        self._patience.pop(name, None)

    @property
    def stalled(self) -> list[str]:
        """The loops that are late."""
        now = self._clock()
        return [name for name, most in self._patience.items() if now - self._stamped[name] > most]

    def fresh(self) -> bool:
        """Whether all of them turn."""
        return not self.stalled

    async def run(self) -> None:
        """Look for ever, at least three times within systemd's patience."""
        patience = watchdog_seconds(self._environ)
        pause = LOOK_SECONDS if patience is None else min(LOOK_SECONDS, patience / 3)
        known: list[str] = []
        while True:
            await self._pause(pause)
            stalled = self.stalled
            if stalled != known:
                log.error("loops stand still", extra={"loops": stalled, "before": known})
                known = stalled
            if patience is not None and not stalled:
                notify("WATCHDOG=1", environ=self._environ)

    async def _pause(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        await asyncio.sleep(seconds)
        self._on_lag(max(0.0, loop.time() - due))

    def _stamp(self, name: str) -> None:
        self._stamped[name] = self._clock()


def _one_line(text: str) -> str:
    return " ".join(text.split())
