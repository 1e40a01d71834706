"""The running daemon: what works in it all the time, and how it stops."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from functools import partial

from bot import sd_notify
from bot.alerts.opening import Alerts
from bot.conditions import disk_low, models_away, nothing_taken_in
from bot.directory import PublicStates
from bot.disk import Disk
from bot.engine import Engine
from bot.loops import RECEIVER, STALLED_SECONDS, run_loops
from bot.questions import PATIENT_SECONDS
from bot.recycle import Recycling
from bot.shard import listen_of
from bot.status import StatusPage
from bot.upkeep import Upkeep
from bot.wakes import Wakes
from bot.web import serve
from bot.whatsapp.sessions import Sessions
from models.upkeep import UpkeepDesk
from models.values import Channel

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0


class Daemon:
    """Everything open; `work` runs its loops until told to stop."""

    def __init__(
        self,
        engine: Engine,
        wakes: Wakes,
        sessions: Sessions,
        states: PublicStates,
        alerts: Alerts,
        recycling: Recycling,
        disk: Disk,
    ) -> None:
        self.grown = ""
        """Why the process should be started afresh; empty while it is in order."""
        self._engine = engine
        self._settings = engine.settings
        self._road = engine.road
        self._metrics = engine.metrics
        self._wakes = wakes
        self._sessions = sessions
        self._states = states
        self._alerts = alerts
        self._recycling = recycling
        self._page = StatusPage(
            engine.settings,
            shard=engine.road.host.shard,
            desk=engine.road.desk,
            alerts=alerts.desk,
            redis=engine.stores.redis,
            conversations=engine.stores.conversations,
            states=sessions.states,
            model=engine.model.describe(),
            degraded=engine.degraded,
            conditions=(
                models_away(engine.model.states),
                disk_low(disk),
                nothing_taken_in(sessions.refusals),
            ),
            unstored=sessions.unstored,
        )
        self._upkeep = Upkeep(
            UpkeepDesk(engine.stores.call),
            engine.stores.conversations,
            engine.metrics,
            host=engine.road.host,
            ledger_days=engine.settings.stores.ledger_days,
        )
        self._watchdog = sd_notify.Watchdog(on_lag=engine.metrics.lagged)

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
            **self._engine.loops(expect),
            "alerts": self._alerts.loop.run(expect("alerts")),
            "lookout": self._look_around(),
            "wakes": self._hear(),
            "states": self._states.keep_visible(),
            "watchdog": self._watchdog.run(),
            "recycling": self._recycle(stop),
            "upkeep": self._upkeep.run(expect("upkeep")),
        }
        if self._settings.whatsapp.enabled:
            loops["sessions"] = self._sessions.run()
        if self._settings.daemon.turns_here:
            loops[RECEIVER] = self._engine.answer()
        else:
            await self._engine.workers.look()  # Before anything rings.
            loops["workers"] = self._engine.workers.run(expect("workers"))
        greet = partial(self._greet, listen, started_in)
        await run_loops(loops, stop, begun=greet, finish=self._road.finish)

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

    async def _look_around(self) -> None:
        while True:
            _, seen = await self._page.look(PATIENT_SECONDS)
            if "pending" in seen:
                self._metrics.backlog(pending=seen["pending"], ready=seen["outbox"])
                self._metrics.workers(len(seen["workers"]))
            sd_notify.notify(f"STATUS={self._page.line()}")
            await asyncio.sleep(LOOK_SECONDS)

    async def _hear(self) -> None:
        async for company_id in self._wakes:
            self._road.delivery.kick(company_id, Channel.WHATSAPP)
