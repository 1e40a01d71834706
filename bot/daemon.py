"""The running daemon: what works in it all the time, and how it stops."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from functools import partial
from uuid import UUID

from bot import sd_notify
from bot.alerts.opening import Alerts
from bot.config import Settings
from bot.directory import PublicStates
from bot.jobs import Doorbell
from bot.metrics import Metrics
from bot.recycle import Recycling
from bot.road import Road
from bot.shard import listen_of
from bot.status import StatusPage
from bot.stores import Stores
from bot.wakes import Wakes
from bot.web import serve
from bot.whatsapp.sessions import Sessions
from models.errors import RetryLater
from models.values import Channel

log = logging.getLogger(__name__)

STALLED_SECONDS = 75.0
"""A loop that turned no round in this time stands still; a PostgreSQL call may take 30 s."""
BACKLOG_SECONDS = 5.0


class LoopEnded(Exception):
    """A loop that has no business ending has ended."""


class Daemon:
    """Everything open; `work` runs its loops until told to stop."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        road: Road,
        doorbell: Doorbell,
        wakes: Wakes,
        sessions: Sessions,
        states: PublicStates,
        alerts: Alerts,
        recycling: Recycling,
        metrics: Metrics,
        model: str,
    ) -> None:
        self.grown = ""
        """Why the process should be started afresh; empty while it is in order."""
        self._settings = settings
        self._stores = stores
        self._road = road
        self._doorbell = doorbell
        self._wakes = wakes
        self._sessions = sessions
        self._states = states
        self._alerts = alerts
        self._recycling = recycling
        self._metrics = metrics
        self._model = model
        self._page = StatusPage(
            settings,
            shard=road.host.shard,
            desk=road.desk,
            alerts=alerts.desk,
            redis=stores.redis,
            conversations=stores.conversations,
            states=sessions.states,
            model=model,
        )
        self._watchdog = sd_notify.Watchdog(on_lag=metrics.lagged)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Health, metrics and status over HTTP; yields where."""
        async with serve(
            listen_of(self._settings.web.listen, self._road.host.shard),
            alive=self._watchdog.fresh,
            ready=self._page.problems,
            status=self._page.status,
            metrics=self._metrics.render,
        ) as listen:
            yield listen

    async def work(self, stop: asyncio.Event, listen: str, *, started_in: float) -> None:
        """Run until *stop*: then no new messages, turns end, sessions close, stores last."""
        expect = partial(self._watchdog.expect, within=STALLED_SECONDS)
        loops: dict[str, Awaitable[object]] = {
            "heart": self._road.heart.run(expect("heart")),
            "memory": self._road.memory.run(),
            "sweeper": self._road.sweeper.run(expect("sweeper")),
            "alerts": self._alerts.loop.run(expect("alerts")),
            "backlog": self._count_backlog(),
            "doorbell": self._doorbell.answer(self._submit),
            "wakes": self._hear(),
            "states": self._states.keep_visible(),
            "watchdog": self._watchdog.run(),
            "recycling": self._recycle(stop),
        }
        if self._settings.whatsapp.enabled:
            loops["sessions"] = self._sessions.run()
        async with asyncio.TaskGroup() as group:
            tasks = {
                name: group.create_task(_forever(loop), name=name) for name, loop in loops.items()
            }
            await self._greet(listen, started_in)
            await stop.wait()
            log.info("stopping: turns at work are finished first")
            sd_notify.notify("STOPPING=1")
            tasks.pop("doorbell").cancel()
            await self._road.finish()
            for task in tasks.values():
                task.cancel()

    async def _greet(self, listen: str, started_in: float) -> None:
        sd_notify.notify("READY=1", f"STATUS={self._page.line()}")
        log.info("ready", extra={"seconds": round(started_in, 2), "listen": listen})
        for line in await self._page.welcome(listen):
            log.info(line)

    async def _recycle(self, stop: asyncio.Event) -> None:
        self.grown = await self._recycling.due()
        log.warning(self.grown)
        stop.set()
        await asyncio.Event().wait()

    async def _count_backlog(self) -> None:
        while True:
            with suppress(RetryLater):
                seen = await self._road.desk.overview()
                self._metrics.backlog(pending=seen["pending"], ready=seen["outbox"])
            sd_notify.notify(f"STATUS={self._page.line()}")
            await asyncio.sleep(BACKLOG_SECONDS)

    def _submit(self, company_id: UUID, customer_id: UUID) -> None:
        self._road.slots.submit((company_id, customer_id))

    async def _hear(self) -> None:
        async for company_id in self._wakes:
            self._road.delivery.kick(company_id, Channel.WHATSAPP)


async def _forever(loop: Awaitable[object]) -> None:
    """The end of a loop stops the daemon; systemd starts it afresh."""
    await loop
    raise LoopEnded
