"""Several daemons on one state directory: one holder for each company, whatever happens to it."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from aiohttp import web

from tests.builders import admin, make_company
from tests.fakes.openai_server import Act, says
from tests.system import gates
from tests.system.conftest import Scene, pair
from tests.system.crew import Crew, ill_treat

TAKEOVER_SECONDS = 15.0
LIVENESS_SECONDS = 4.0


@pytest.fixture(scope="module")
async def companies(scene: Scene) -> list[UUID]:
    """The scene's company and two more, each with a phone of its own."""
    more = [await make_company(scene.url) for _ in range(2)]
    for number, company in enumerate(more):
        pair(scene.home, company, f"52155000000{number:02}")
    await gates.install(scene.look)
    return [scene.company, *more]


@pytest.fixture
async def crew(scene: Scene, companies: list[UUID]) -> AsyncIterator[Crew]:
    """Two daemons; the first holds all companies when a test begins."""
    crew = Crew(scene, companies, {})
    try:
        await crew.start(0)
        await crew.until(lambda: crew.held_by(0))
        await crew.start(1)
        yield crew
    finally:
        await crew.end()
    assert scene.phones.clashes() == []


def waits_for(go_on: asyncio.Event, asked: asyncio.Event) -> Act:
    """A model that thinks until it is told to go on."""

    async def act(request: web.Request) -> web.StreamResponse:
        asked.set()
        await go_on.wait()
        return await says()(request)

    return act


async def test_the_companies_of_a_killed_daemon_run_on_another_and_nothing_is_lost_or_said_twice(
    crew: Crew,
) -> None:
    scene, killed, asked = crew.scene, asyncio.Event(), asyncio.Event()
    thinking, journalled, later = (scene.customer() for _ in range(3))
    scene.llm.script(waits_for(killed, asked))
    scene.write(thinking, company=crew.companies[0])
    await asyncio.wait_for(asked.wait(), 50)

    async with gates.closed(scene.url, scene.look, "inbox pending") as gate:
        wa_id = scene.write(journalled, company=crew.companies[1])
        await gate.reached()
        await crew.until(lambda: scene.phones.taken(wa_id))
        died = time.monotonic()
        await crew.shards[0].send(signal.SIGKILL)
        killed.set()
        await gate.undo()
    scene.write(later, company=crew.companies[2])
    await crew.until(lambda: crew.held_by(1))

    assert time.monotonic() - died < TAKEOVER_SECONDS
    for phone in (thinking, journalled, later):
        await crew.answered(phone)
        assert scene.phones.senders(phone) == [crew.shards[1].pid]
    said = await crew.status()
    assert said.code == 3
    assert "shard 0 has ended without stopping" in said.out


@pytest.mark.slow
async def test_a_daemon_that_comes_back_takes_nothing_from_one_that_lives(crew: Crew) -> None:
    await crew.shards[0].send(signal.SIGKILL)
    await crew.until(lambda: crew.held_by(1))

    await crew.start(0)
    await crew.scene.until(crew.is_ready)
    before = await crew.fences()
    await asyncio.sleep(2.5)  # Some looks of both.

    assert crew.held_by(1)
    assert await crew.fences() == before


async def test_a_daemon_that_stops_hands_its_companies_over_at_once(crew: Crew) -> None:
    phone = crew.scene.customer()

    assert await crew.shards[0].send(signal.SIGTERM) == 0
    crew.scene.write(phone)
    seconds = await crew.until(lambda: crew.held_by(1))

    assert seconds < LIVENESS_SECONDS
    await crew.answered(phone)
    assert await crew.is_ready()


async def test_a_chat_in_the_terminal_finds_whichever_daemon_runs(crew: Crew) -> None:
    await crew.shards[0].send(signal.SIGTERM)

    said = await crew.scene.nursery.lyrox(
        crew.scene.home, "chat", crew.scene.company, "--as", "ana", "--once", "hola"
    )

    assert said.code == 0
    status, page = await crew.scene.home.get("/metrics", shard=1)
    assert status == 200
    assert 'lyrox_turns_total{handler="persona",outcome="ready"} 1.0' in page


async def test_a_daemon_whose_lease_is_gone_sends_nothing_more_and_stands_down(crew: Crew) -> None:
    scene, phone = crew.scene, crew.scene.customer()
    former, present = crew.shards[0], crew.shards[1]

    async def take_away(request: web.Request) -> web.StreamResponse:
        await elsewhere.execute(
            "UPDATE session_leases SET fence = fence + 1, host_id ="
            " (SELECT id FROM hosts WHERE shard = 1) WHERE company_id = $1",
            scene.company,
        )
        return await says()(request)

    elsewhere = await admin(scene.url)
    scene.llm.script(take_away)
    scene.write(phone)

    await crew.answered(phone)
    await elsewhere.close()
    assert scene.phones.senders(phone) == [present.pid]
    await crew.until(lambda: scene.phones.holder(scene.company) == present.pid)
    assert "a session moves away" in former.err
    others = crew.companies[1:]
    assert all(scene.phones.holder(company) == former.pid for company in others)


async def test_two_daemons_that_start_together_share_the_companies(
    scene: Scene, companies: list[UUID]
) -> None:
    crew = Crew(scene, companies, {})
    try:
        before = await crew.fences()
        await asyncio.gather(crew.start(0), crew.start(1))
        await crew.until(lambda: all(crew.holder(company) is not None for company in companies))
        await asyncio.sleep(2.0)  # Some looks of both.
        said = await crew.status("--json")
        after = await crew.fences()
        held = {str(crew.holder(company)) for company in companies}
    finally:
        await crew.end()

    assert said.code == 0
    seen = said.json()
    assert [one["shard"] for one in seen["shards"]] == [0, 1]
    assert {one["state"] for one in seen["companies"]} == {"connected"}
    assert {str(one["shard"]) for one in seen["companies"]} == held
    assert all(after[company] == before.get(company, 0) + 1 for company in companies)
    assert scene.phones.clashes() == []


def stands_still(pid: int) -> bool:
    """Whether the kernel has stopped the process."""
    return "State:\tT" in Path(f"/proc/{pid}/status").read_text(encoding="ascii")


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("at", ["before the secret", "before the wire", "after the wire"])
async def test_a_daemon_that_was_stopped_in_the_middle_of_a_send_says_it_once_and_stands_down(
    crew: Crew, at: str
) -> None:
    scene, phone, next_one = crew.scene, crew.scene.customer(), crew.scene.customer()
    former, before = crew.shards[0], await crew.fences()
    in_time = int(at == "after the wire")

    async def is_buried() -> bool:
        return not await scene.look.fetchval("SELECT count(*) FROM hosts WHERE shard = 0")

    scene.phones.order(signal.SIGSTOP, at)
    scene.write(phone)
    await crew.until(lambda: stands_still(former.pid))
    await scene.until(is_buried)
    await asyncio.sleep(2.5)  # Some looks of the other one.
    assert len(scene.phones.arrived(phone)) == in_time
    assert scene.phones.holder(scene.company) == former.pid

    os.kill(former.pid, signal.SIGCONT)

    await crew.answered(phone)
    await crew.until(lambda: "a session moves away" in former.err)
    scene.write(next_one)
    await crew.answered(next_one)
    after = await crew.fences()
    assert all(after[company] > before[company] for company in crew.companies)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_in_a_storm_of_kills_and_stops_nothing_is_lost_or_said_twice(crew: Crew) -> None:
    scene, seed = crew.scene, random.randrange(10**6)
    print(f"seed {seed}")
    dice, customers = random.Random(seed), list[str]()

    for _ in range(12):
        for company in crew.companies:
            customers.append(scene.customer())
            scene.write(customers[-1], company=company)
        await asyncio.sleep(dice.uniform(0, 1.5))
        await ill_treat(crew, dice)

    for phone in customers:
        await scene.until(partial(scene.closed, phone), seconds=40)
    unsaid = [phone for phone in customers if not scene.phones.arrived(phone)]
    assert max(len(scene.phones.arrived(phone)) for phone in customers) == 1
    assert unsaid == [phone for phone in unsaid if await is_unconfirmed(scene, phone)]
    assert len(unsaid) < len(customers) / 4


async def is_unconfirmed(scene: Scene, phone: str) -> bool:
    """Whether its send was in the window in which nobody can know: then nothing is said twice."""
    query = "SELECT NOT confirmed FROM outbox WHERE chat LIKE $1"
    return bool(await scene.look.fetchval(query, f"{phone}@%"))
