"""The daemon's life: what opens in which order, and closes in the other."""

import asyncio
import logging
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

from bot import logs
from bot.alerts import amiss
from bot.alerts.opening import open_alerts
from bot.config import Daemon as DaemonSettings
from bot.config import Settings
from bot.daemon import Daemon
from bot.directory import HeardDelivery, LeaseDesk, PublicStates, watch_aside, watch_sessions
from bot.disk import disk_of
from bot.engine import open_engine
from bot.garbage import expect_long_life
from bot.hosts import Host
from bot.notes import Notes
from bot.pairing.site import pairing_site
from bot.recycle import Recycling
from bot.seed import seed_emilio_born
from bot.session_keys import WhatsAppStates
from bot.shard import announced, hold_shard
from bot.signals import stopping
from bot.stores import Urls, urls_of
from bot.wakes import Wakes
from bot.watching import watch_stores
from bot.whatsapp.sessions import Connector, Sessions
from models import database
from models.alerts import AlertDesk
from models.errors import StartAgain

log = logging.getLogger(__name__)


async def run(
    settings: Settings,
    *,
    shard: int,
    setup: bool,
    connector: Connector | None = None,
    recycling: Callable[[DaemonSettings, int], Recycling] = Recycling,
) -> int:
    """Run the daemon until SIGTERM or SIGINT; returns the exit status.

    *setup* migrates and seeds first. Raises StartupRefused or Unavailable with one sentence, and
    StartAgain once it has grown too large. *connector* and *recycling* replace the real ones
    (tests).
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
                _opened(settings, urls, _host(host_id, shard), connector, recycling)
            )
            listen = await stack.enter_async_context(daemon.served())
            stack.enter_context(announced(settings.daemon.state_dir, shard, listen))
            expect_long_life()
            await daemon.work(stop, listen, started_in=time.monotonic() - began)
    if daemon.grown:
        raise StartAgain(daemon.grown)
    return 0


@asynccontextmanager
async def _opened(
    settings: Settings,
    urls: Urls,
    host: Host,
    connector: Connector | None,
    recycling: Callable[[DaemonSettings, int], Recycling],
) -> AsyncIterator[Daemon]:
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine(settings, urls, host, rings=True))
        road, metrics, stores = engine.road, engine.metrics, engine.stores
        desk = AlertDesk(stores.call)
        alerts = await stack.enter_async_context(
            open_alerts(settings, desk, metrics, engine.models, targets=engine.model.states)
        )
        wakes = Wakes(stores.redis, Notes(road.delivery, road.lanes.ring_now).hear)
        states = PublicStates(
            road.desk,
            WhatsAppStates(stores.redis),
            metrics,
            host=host.id,
            on_connected=road.delivery.kick,
        )
        leases = LeaseDesk(road.ledger, road.desk, host.id)
        sessions = Sessions(
            settings,
            leases=leases,
            states=states,
            delivery=alerts.own_chats.before(HeardDelivery(road.delivery, wakes)),
            accept=road.intake.accept,
            connector=connector,
        )
        site = pairing_site(
            settings,
            host.shard,
            states=sessions.states,
            leases=leases,
            metrics=metrics,
            told=alerts.pairing_ended,
        )
        await stack.enter_async_context(site)
        disk = disk_of(settings)
        recycled = recycling(settings.daemon, host.shard)
        watch_sessions(metrics, sessions, recycled)
        watch_aside(metrics, settings.daemon.state_dir)
        for seen in (
            amiss.set_aside(settings.daemon.state_dir),
            amiss.not_taken_in(sessions.refusals),
            amiss.disk_low(disk),
        ):
            alerts.loop.watch(seen)
        watch_stores(metrics, stores, engine.doorbell, wakes)
        yield Daemon(engine, wakes, sessions, states, alerts, recycled, disk)


async def _set_up(urls: Urls) -> None:
    for name in await database.migrate(urls.postgres):
        log.info("migrated", extra={"migration": name})
    async with database.connect(urls.postgres, connections=2):
        seeded = await seed_emilio_born()
    if seeded.password is not None:
        # Not a log line: it is shown once, to the person who set this up by hand.
        print(f"temporary password of {seeded.email}: {seeded.password}", file=sys.stderr)


def _host(host_id: UUID, shard: int) -> Host:
    return Host(host_id, f"{socket.gethostname()}:{os.getpid()}", shard, "daemon")


def _progress(text: str) -> None:
    log.info(text)
