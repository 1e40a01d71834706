"""The daemon's life: what opens in which order, what runs, and how it stops."""

import asyncio
import logging
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from bot import logs, sd_notify
from bot.config import Settings, secret
from bot.directory import HeardDelivery, LeaseDesk, PublicStates
from bot.garbage import expect_long_life
from bot.hosts import Host
from bot.jobs import Doorbell, open_doorbell
from bot.lanes import Chat
from bot.llm import open_model
from bot.metrics import Metrics
from bot.road import Road, open_road
from bot.seed import seed_emilio_born
from bot.session_keys import WhatsAppStates
from bot.shard import announced, hold_shard, listen_of
from bot.signals import stopping
from bot.status import StatusPage
from bot.stores import Stores, Urls, open_stores, urls_of
from bot.wakes import Wakes
from bot.watching import watch_models, watch_stores
from bot.web import serve
from bot.whatsapp.sessions import Connector, Sessions
from handlers import build, load_prompts
from models import database
from models.errors import RetryLater
from models.values import Channel

log = logging.getLogger(__name__)

STALLED_SECONDS = 75.0
"""A loop that turned no round in this time stands still; a PostgreSQL call may take 30 s."""
BACKLOG_SECONDS = 5.0


class LoopEnded(Exception):
    """A loop that has no business ending has ended."""


async def run(
    settings: Settings, *, shard: int, setup: bool, connector: Connector | None = None
) -> int:
    """Run the daemon until SIGTERM or SIGINT; returns the exit status.

    *setup* migrates and seeds first. Raises StartupRefused or Unavailable with one sentence.
    *connector* replaces WhatsApp's own (tests).
    """
    began = time.monotonic()
    logs.configure(settings.daemon.log_level)
    stop = asyncio.Event()
    with stopping(stop), hold_shard(settings.daemon.state_dir, shard) as host_id:
        async with AsyncExitStack() as stack:
            urls = await stack.enter_async_context(urls_of(settings.stores, progress=_progress))
            if setup:
                await _set_up(urls)
            await database.check(urls.postgres)
            daemon = await stack.enter_async_context(
                _opened(settings, urls, _host(host_id, shard), connector)
            )
            listen = await stack.enter_async_context(daemon.served())
            stack.enter_context(announced(settings.daemon.state_dir, shard, listen))
            expect_long_life()
            await daemon.work(stop, listen, started_in=time.monotonic() - began)
    return 0


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
        metrics: Metrics,
        model: str,
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._road = road
        self._doorbell = doorbell
        self._wakes = wakes
        self._sessions = sessions
        self._states = states
        self._metrics = metrics
        self._model = model
        self._page = StatusPage(
            settings,
            shard=road.host.shard,
            desk=road.desk,
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
            "backlog": self._count_backlog(),
            "doorbell": self._doorbell.answer(self._submit),
            "wakes": self._hear(),
            "states": self._states.keep_visible(),
            "watchdog": self._watchdog.run(),
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


@asynccontextmanager
async def _opened(
    settings: Settings, urls: Urls, host: Host, connector: Connector | None
) -> AsyncIterator[Daemon]:
    metrics = Metrics()
    prompts = load_prompts()
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(settings, urls))
        doorbell = await stack.enter_async_context(open_doorbell(urls.redis))
        model = await stack.enter_async_context(
            open_model(settings.llm, prompts, secrets=secret, on_call=metrics.llm_call)
        )

        async def ring(chat: Chat, newest: str) -> None:
            await doorbell.ring(*chat, newest, datetime.now(UTC))

        road = await stack.enter_async_context(
            open_road(
                settings,
                stores,
                build(model, prompts, settings.conversation.pause_minutes),
                prompts=prompts,
                host=host,
                metrics=metrics,
                ring=ring,
            )
        )
        wakes = Wakes(stores.redis)
        states = PublicStates(
            road.desk,
            WhatsAppStates(stores.redis),
            metrics,
            host=host.id,
            on_connected=road.delivery.kick,
        )
        sessions = Sessions(
            settings,
            leases=LeaseDesk(road.ledger, road.desk, host.id),
            states=states,
            delivery=HeardDelivery(road.delivery, wakes),
            accept=road.intake.accept,
            connector=connector,
        )
        metrics.watch("doorbell_malformed", lambda: doorbell.skipped)
        metrics.watch("journal_entries", sessions.unstored)
        watch_stores(metrics, stores, doorbell, wakes)
        watch_models(metrics, model)
        yield Daemon(
            settings, stores, road, doorbell, wakes, sessions, states, metrics, model.describe()
        )


async def _set_up(urls: Urls) -> None:
    for name in await database.migrate(urls.postgres):
        log.info("migrated", extra={"migration": name})
    async with database.connect(urls.postgres, connections=2):
        seeded = await seed_emilio_born()
    if seeded.password is not None:
        # Not a log line: it is shown once, to the person who set this up by hand.
        print(f"temporary password of {seeded.email}: {seeded.password}", file=sys.stderr)


async def _forever(loop: Awaitable[object]) -> None:
    """The end of a loop stops the daemon; systemd starts it afresh."""
    await loop
    raise LoopEnded


def _host(host_id: UUID, shard: int) -> Host:
    return Host(host_id, f"{socket.gethostname()}:{os.getpid()}", shard, "daemon")


def _progress(text: str) -> None:
    log.info(text)
