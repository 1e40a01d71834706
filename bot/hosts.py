"""Who is alive: every process beats in PostgreSQL, and the silent ones lose what they held."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from models.desk import Desk
from models.errors import RetryLater

log = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
DEAD_AFTER_SECONDS = 4.0
"""A beat that an observer saw unchanged this long, of its own monotonic time, is a dead host's."""


@dataclass(frozen=True, slots=True)
class Host:
    """This process, as the others know it."""

    id: UUID
    name: str
    shard: int
    role: str


class Observer:
    """Judges by beats alone: no wall clocks, and time without PostgreSQL does not count."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[UUID, tuple[int, float]] = {}
        self._last: float | None = None

    def judge(self, beats: dict[UUID, int]) -> list[UUID]:
        """Take in everybody's beats; returns the hosts that are dead."""
        now = self._clock()
        passed = 0.0 if self._last is None else min(now - self._last, 1.5 * BEAT_SECONDS)
        self._last = now
        seen = {}
        for host, beat in beats.items():
            former, still = self._seen.get(host, (None, 0.0))
            seen[host] = (beat, still + passed if beat == former else 0.0)
        self._seen = seen
        return [host for host, (_, still) in seen.items() if still >= DEAD_AFTER_SECONDS]


class Heart:
    """Beats for this host, and buries those whose beat stands still."""

    def __init__(self, desk: Desk, host: Host) -> None:
        self._desk = desk
        self._host = host
        self._observer = Observer()

    async def begin(self) -> None:
        """Free what a former life of this host held, then beat for the first time."""
        await self._desk.bury([self._host.id])
        await self._beat()

    async def run(self, stamp: Callable[[], None] = lambda: None) -> None:
        """Beat for ever, with a *stamp* each round; an absent PostgreSQL is waited for."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            stamp()
            try:
                missing, beats = await self._beat()
                dead = [host for host in self._observer.judge(beats) if host != self._host.id]
                if missing:
                    log.warning("this host was declared dead and is back")
                if dead:
                    turns = await self._desk.bury(dead)
                    log.warning("buried dead hosts", extra={"hosts": dead, "turns": turns})
            except RetryLater as error:
                log.warning("no heartbeat: PostgreSQL does not answer", extra={"why": str(error)})

    async def end(self) -> None:
        """Leave at once, so that nobody has to wait for our silence."""
        await self._desk.bury([self._host.id])

    async def _beat(self) -> tuple[bool, dict[UUID, int]]:
        host = self._host
        return await self._desk.beat(host.id, name=host.name, shard=host.shard, role=host.role)
