"""Each store broken in each way while customers write: all are answered once, in order, by theirs.

The stores are the test's own, and their keeper brings them back as it does in production.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.faults.town import Town, open_town
from tests.system.warm import Warm

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

NAMES = {"postgres": "PostgreSQL", "redis": "Valkey", "mongo": "mongod"}
RESUME_SECONDS = 5.0
"""Until everybody who wrote through the outage has an answer."""
DRAIN_SECONDS = 60.0
AWAY_SECONDS = 20.0

Deed = Callable[[Town, str], Awaitable[float]]
"""Breaks a store; returns when all was well again."""


async def stopped(town: Town, name: str) -> float:
    return await town.stores[name].freeze(4.0)


async def restarted(town: Town, name: str) -> float:
    return await town.stores[name].restart()


async def killed(town: Town, name: str) -> float:
    return await town.stores[name].kill()


async def away(town: Town, name: str) -> float:
    valve = getattr(town.valves, name)
    await valve.cut()
    await asyncio.sleep(AWAY_SECONDS)
    await valve.open()
    return time.monotonic()


async def slow(town: Town, name: str) -> float:
    valve = getattr(town.valves, name)
    valve.delay = 2.0
    await asyncio.sleep(10.0)
    valve.delay = 0.0
    return time.monotonic() + 2.0  # What was asked last is answered by then.


async def cut_mid_commit(town: Town, name: str) -> float:
    valve = getattr(town.valves, name)
    valve.losing = 0.3
    await asyncio.sleep(6.0)
    valve.losing = 0.0
    return time.monotonic()


async def flushed(town: Town, name: str) -> float:
    for _ in range(4):
        reader, writer = await asyncio.open_unix_connection(town.stores[name].socket)
        writer.write(b"FLUSHALL\r\n")
        assert await reader.readuntil(b"\r\n") == b"+OK\r\n"
        writer.close()
        await asyncio.sleep(0.5)
    return time.monotonic()


DEEDS: dict[str, Deed] = {
    "stopped for 4 s": stopped,
    "restarted": restarted,
    "killed": killed,
    f"away for {AWAY_SECONDS:.0f} s": away,
    "2 s slower each call": slow,
    "cut between commit and answer": cut_mid_commit,
}
TRIES = [(name, deed) for name in NAMES for deed in DEEDS] + [("redis", "flushed")]


@pytest.fixture(scope="module")
async def town(nursery: Warm, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """One town for all tests of this file, each with customers of its own."""
    async with open_town(tmp_path_factory.mktemp("town"), nursery) as opened:
        yield opened


@pytest.mark.parametrize(("name", "deed"), TRIES)
async def test_a_broken_store_costs_no_customer_an_answer(town: Town, name: str, deed: str) -> None:
    await town.start()
    crowd = town.crowd()
    async with crowd.writing():
        await asyncio.sleep(1.5)
        well = await {**DEEDS, "flushed": flushed}[deed](town, name)
        await asyncio.sleep(1.5)

    await crowd.answered(DRAIN_SECONDS)
    row = await town.verdict(f"{NAMES[name]} {deed}", crowd, well)

    print(row.line(), crowd.count(), crowd.notices())
    assert (row.lost, row.doubled, row.disordered, row.wrong, row.unresolved) == (0, 0, 0, 0, 0)
    assert crowd.count() > 12
    assert crowd.recovery(well) <= RESUME_SECONDS
