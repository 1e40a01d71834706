"""The benchmark runs, and its figures can be believed."""

import asyncio
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from benchmarks.arrivals import Arrival, poisson
from benchmarks.bench import Plan
from benchmarks.figures import table
from benchmarks.pipeline import report, run
from benchmarks.population import Population
from benchmarks.processes import Process, running
from benchmarks.proxy import HELD_SECONDS, listening
from benchmarks.runs import save
from benchmarks.subject import Phones, Setting, Subject
from benchmarks.trips import count, periodic
from bot.stores import Urls
from models.values import InboundMessage
from tests.databases import ROOT

TINY = {"customers": 40, "rates": (20.0,), "seconds": (1.0,), "lone": 0, "seed": 1}


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose sockets have short names."""
    return tmp_path_factory.mktemp("s")


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("stores")
async def test_a_tiny_run_makes_the_table(slot: int, tmp_path: Path) -> None:
    plan = Plan(
        **TINY,  # type: ignore[arg-type] # Each has its field's type.
        fast=True,
        trace=False,
        model_seconds=0.1,
        warm_up_seconds=0.3,
        settling_seconds=0.2,
        suffix=f"_{slot}",
        redis_databases=(slot, 0),
    )

    sides = await run(plan, ROOT)

    for side in sides.values():
        (phase,) = side.phases
        assert len(phase.seconds) == phase.messages == len(poisson(20, 1.0, seed=1))
        assert (phase.unanswered, phase.unasked) == (0, 0)
        assert 0.5 < phase.cpu_ms < 100
        assert 0 < phase.added_ms(0.5) <= phase.added_ms(0.99)
    document = tmp_path / "benchmarks.md"
    former = "before\n<!-- pipeline -->\nthe former table\n<!-- /pipeline -->\nafter\n"
    document.write_text(former, "utf-8")
    save("pipeline", report(sides, ["--rates", "20"], "a machine"), document)
    saved = document.read_text("utf-8")
    assert table(sides) in saved
    assert "former" not in saved
    assert saved.startswith("before\n")
    assert saved.endswith("\nafter\n")


async def test_a_pipeline_that_goes_on_after_its_text_has_left_is_measured_to_its_end() -> None:
    population, phones, ended = Population(1), Phones(), []

    async def accept(message: InboundMessage) -> None:
        phones.ring(message.chat)
        await asyncio.sleep(0.1)
        ended.append(message)

    setting = Setting(population, Urls("", "", ""), "", "", 0.0, phones)
    reader = asyncio.StreamReader()
    reader.feed_data(Arrival(1, 0, time.monotonic()).line() + b"end\n")
    reader.feed_eof()

    await Subject(setting, accept, serial=False).follow(reader)

    assert len(ended) == 1


async def test_the_proxy_counts_what_a_process_waits_for(
    stores: dict[str, str], mongo_database: str, folder: Path
) -> None:
    sockets = {
        "postgres": f"{unquote(urlsplit(stores['postgres']).query.partition('host=')[2])}"
        "/.s.PGSQL.5432",
        "redis": unquote(urlsplit(stores["valkey"]).path),
        "mongo": unquote(urlsplit(stores["mongod"]).netloc),
    }
    talks = {"postgres": talk_to_postgres, "redis": talk_to_redis, "mongo": talk_to_mongo}
    labels = {}
    for name, socket in sockets.items():
        with running("benchmarks.proxy", str(folder), name, socket) as proxy:
            await asyncio.to_thread(proxy.expect, "ready")
            await talks[name](listening(folder, name), mongo_database)
            labels[name] = [label for _, label, _, _ in await asyncio.to_thread(ask, proxy)]

    assert labels["postgres"][-4:] == ["BEGIN", "prepare SELECT 1 AS", "SELECT 1 AS", "COMMIT"]
    assert labels["redis"][-2:] == ["PING 1", "GET a"]
    assert labels["mongo"].count("find") == 1


def test_trips_that_overlap_are_one_wave_and_periodic_ones_do_not_count() -> None:
    idle = [("postgres", "desk_beat", 0.0, 1.0), ("redis", "BLMPOP 0", 0.0, 9.0)]
    trips = [
        ("postgres", "road_accept", 10.0, 10.1),
        ("redis", "EVALSHA", 10.05, 10.06),
        ("postgres", "desk_beat", 10.0, 11.0),
        ("redis", "LPUSH queue", 10.2, 10.3),
        ("redis", "BLMPOP 0", 5.0, 10.3),
        ("postgres", "road_claim", 10.4, 10.5),
    ]

    counted = count(trips, periodic(idle))

    assert len(counted.trips) == 5
    assert counted.waves == 3


def ask(proxy: Process) -> Any:
    """Everything it has noted."""
    proxy.say("take")
    return proxy.told()


async def talk_to_postgres(socket: Path, _: str) -> None:
    """A transaction with one statement, which is prepared first: four round trips."""
    connection = await asyncpg.connect(f"postgres://app@/postgres?host={socket.parent}")
    async with connection.transaction():
        await connection.fetch("SELECT 1 AS one")
    await connection.close()


async def talk_to_redis(socket: Path, _: str) -> None:
    """A pipeline of two commands, and one more."""
    redis = Redis.from_url(f"unix://{socket}")
    async with redis.pipeline(transaction=False) as batch:
        batch.execute_command("PING", "1")
        batch.execute_command("PING", "2")
        await batch.execute()
    await redis.get("a")
    await redis.aclose()


async def talk_to_mongo(socket: Path, database: str) -> None:
    """One question, which takes as long as its answer is held back."""
    async with AsyncMongoClient[dict[str, Any]](
        f"mongodb://{str(socket).replace('/', '%2F')}"
    ) as c:
        began = asyncio.get_running_loop().time()
        await c[database].conversations.find_one({})
        assert asyncio.get_running_loop().time() - began >= HELD_SECONDS
