"""What a daemon knows of workers, and what a worker loads and joins."""

import asyncio
import subprocess
import sys
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from aiohttp.web import Application

from bot.config import Settings
from bot.degraded import Degraded
from bot.hosts import Host
from bot.metrics import Metrics
from bot.web.listener import listening
from bot.web_settings import Web
from bot.worker import Worker
from bot.workers import Workers
from models.database import connect
from models.desk import Desk
from models.errors import RetryLater, Unavailable

CLIENT = {"neonize", "google", "magic", "bot.whatsapp.client", "bot.whatsapp.sessions"}
PROGRAM = "import sys; import bot.worker, bot.event_loop; print(*sys.modules)"


async def test_a_living_worker_is_seen_and_a_buried_one_is_missed(database: str) -> None:
    host = uuid4()
    async with connect(database, connections=2) as opened:
        desk = Desk(opened.call, opened.rows)
        workers = Workers(desk)
        seen = []
        await workers.look()
        seen.append(workers.alive)
        await desk.beat(host, name="here:1", shard=3, role="worker")
        await desk.beat(uuid4(), name="here:2", shard=0, role="daemon")
        found = await desk.workers()
        await workers.look()
        seen.append(workers.alive)
        await desk.bury([host])
        await workers.look()
        seen.append(workers.alive)

    assert seen == [False, True, False]
    assert found == [{"name": "here:1", "number": 3, "seconds": 0, "turns": 0}]


class Away:
    """PostgreSQL, which does not answer."""

    async def workers(self) -> list[dict[str, object]]:
        raise RetryLater("away")


@pytest.mark.looptime
@pytest.mark.asyncio(loop_scope="function")
async def test_without_postgresql_all_stays_as_it_was_and_the_look_goes_on() -> None:
    stamps: list[float] = []
    workers = Workers(Away())  # type: ignore[arg-type] # All that is asked of it.
    workers.alive = True
    loop = asyncio.get_running_loop()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.75):
            await workers.run(lambda: stamps.append(loop.time()))

    assert workers.alive
    assert len(stamps) == 4


def test_a_worker_loads_no_whatsapp_client() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )

    assert CLIENT.isdisjoint(ran.stdout.split())


async def test_a_port_that_another_worker_has_is_told_by_its_own_setting() -> None:
    async def nothing() -> None:
        """No store is asked before the listener is open."""

    async with listening("127.0.0.1:0", Application()) as taken:
        engine: Any = SimpleNamespace(
            settings=Settings(web=Web(worker_listen=taken)),
            metrics=Metrics(),
            model=SimpleNamespace(describe=str, states=dict),
            stores=SimpleNamespace(
                call=nothing,
                redis=SimpleNamespace(ping=nothing),
                conversations=SimpleNamespace(last=nothing),
            ),
            road=SimpleNamespace(
                host=Host(uuid4(), "here:1", 0, "worker"), desk=SimpleNamespace(workers=nothing)
            ),
            degraded=Degraded(),
        )
        with pytest.raises(Unavailable, match=rf"^web\.worker_listen: {taken} is in use"):
            async with Worker(engine).served():
                pass
