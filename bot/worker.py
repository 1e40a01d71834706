"""A process that answers and hosts no session: any number, on any machine with the same stores."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

from bot import logs, sd_notify
from bot.config import Settings
from bot.config import Stores as StoreSettings
from bot.engine import Engine, open_engine
from bot.garbage import expect_long_life
from bot.hosts import Host
from bot.loops import RECEIVER, STALLED_SECONDS, run_loops
from bot.questions import PATIENT_SECONDS
from bot.shard import listen_of
from bot.signals import stopping
from bot.stores import private, urls_of
from bot.watching import watch_stores
from bot.web import serve
from bot.worker_page import WorkerPage
from models import database
from models.alerts import AlertDesk
from models.errors import GiveUp, RetryLater, StartupRefused

log = logging.getLogger(__name__)

TELL_SECONDS = 1.0
LOOK_SECONDS = 5.0


async def run(settings: Settings, *, number: int) -> int:
    """Answer until SIGTERM or SIGINT; returns the exit status.

    *number* tells the workers of a machine apart by their ports. Raises StartupRefused or
    Unavailable with one sentence.
    """
    _refuse_new_stores(settings.stores)
    began = time.monotonic()
    logs.configure(settings.daemon.log_level)
    stop = asyncio.Event()
    with stopping(stop):
        async with AsyncExitStack() as stack:
            urls = await stack.enter_async_context(urls_of(settings.stores, progress=_progress))
            await database.check(urls.postgres)
            engine = await stack.enter_async_context(
                open_engine(settings, urls, _host(number), rings=False)
            )
            watch_stores(engine.metrics, engine.stores, engine.doorbell)
            worker = Worker(engine)
            listen = await stack.enter_async_context(worker.served())
            expect_long_life()
            await worker.work(stop, listen, started_in=time.monotonic() - began)
    return 0


class Worker:
    """An engine that runs; `work` ends when it is told to stop and no turn is at work any more."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._page = WorkerPage(engine)
        self._alerts = AlertDesk(engine.stores.call)
        self._watchdog = sd_notify.Watchdog(on_lag=engine.metrics.lagged)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Health, metrics and status over HTTP; yields where."""
        listen, key = self._engine.settings.web.worker_listen, "web.worker_listen"
        number = self._engine.road.host.shard
        async with serve(
            listen_of(listen, number, key=key, who="worker"),
            key=key,
            alive=self._watchdog.fresh,
            ready=self._page.problems,
            status=self._page.status,
            metrics=self._engine.metrics.render,
        ) as place:
            yield place

    async def work(self, stop: asyncio.Event, listen: str, *, started_in: float) -> None:
        """Run until *stop*: then no new turns, those at work end, stores last."""
        loops: dict[str, Awaitable[object]] = {
            **self._engine.loops(partial(self._watchdog.expect, within=STALLED_SECONDS)),
            "told": self._tell(),
            "lookout": self._look_around(),
            "watchdog": self._watchdog.run(),
            RECEIVER: self._engine.answer(),
        }

        async def greet() -> None:
            sd_notify.notify("READY=1", f"STATUS={self._page.line()}")
            log.info("ready", extra={"seconds": round(started_in, 2), "listen": listen})
            for line in self._page.welcome(listen):
                log.info(line)

        await run_loops(loops, stop, begun=greet, finish=self._engine.road.finish)

    async def _look_around(self) -> None:
        while True:
            await self._page.look(PATIENT_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)

    async def _tell(self) -> None:
        """How it goes, to systemd; whether models answer, to those who judge alerts."""
        engine = self._engine
        while True:
            await asyncio.sleep(TELL_SECONDS)
            sd_notify.notify(f"STATUS={self._page.line()}")
            try:
                await engine.models.tell(self._alerts, engine.model.states(), datetime.now(UTC))
            except (RetryLater, GiveUp) as error:
                log.debug("news of models wait", extra={"why": str(error)})


def _refuse_new_stores(stores: StoreSettings) -> None:
    """Stores of its own would hold no company: whoever names no URL means those of a daemon."""
    missing = [name for name in private(stores) if not (stores.data_dir / name).is_dir()]
    if missing:
        raise StartupRefused(
            f"{stores.data_dir}: no private {', '.join(missing)} to join; a worker makes none:"
            " name the daemon's stores by URL in [stores], or start the daemon here first"
        )


def _host(number: int) -> Host:
    """A new one at each start: whatever a former life left open is free within seconds."""
    return Host(uuid4(), f"{socket.gethostname()}:{os.getpid()}", number, "worker")


def _progress(text: str) -> None:
    log.info(text)
