"""Answers made in processes that host no session."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.system.conftest import Scene
from tests.system.workshop import Workshop, thinks

TAKEOVER_SECONDS = 8.0
AT_WORK = "SELECT count(*) FROM turns WHERE state = 'open' AND host_id IS NOT NULL"


@pytest.fixture(scope="module")
async def workshop(scene: Scene) -> AsyncIterator[Workshop]:
    """A session host that leaves all turns to two workers."""
    scene.home.change("daemon", turns_here=False)
    workshop = Workshop(scene)
    await scene.start()
    try:
        yield workshop
    finally:
        await workshop.end()


@pytest.fixture
async def manned(workshop: Workshop) -> Workshop:
    """With workers 0 and 1 at work."""
    for number in (0, 1):
        if number not in workshop.workers or not workshop.workers[number].alive:
            await workshop.start(number)

    async def all_known() -> bool:
        return await workshop.living() == 2

    assert workshop.scene.daemon
    await workshop.scene.until(all_known)
    await workshop.scene.daemon.until("workers answer  workers=")
    return workshop


async def sent(scene: Scene, phone: str) -> bool:
    """Whether one answer has left."""
    return await scene.states(phone, "outbox") == ["sent"]


async def turns(workshop: Workshop) -> list[str]:
    """What the daemon counts of turns."""
    _, page = await workshop.scene.home.get("/metrics")
    return [line for line in page.splitlines() if line.startswith("lyrox_turns_total")]


async def test_without_a_worker_the_daemon_answers_and_says_what_is_missing(
    workshop: Workshop,
) -> None:
    phone = workshop.scene.customer()
    workshop.scene.write(phone)

    await workshop.answered(phone)
    said = await workshop.scene.nursery.lyrox(workshop.scene.home, "status")

    assert said.code == 3
    assert "No worker runs" in said.out
    assert await turns(workshop)


async def test_workers_answer_and_the_daemon_does_not(manned: Workshop) -> None:
    before, phone = await turns(manned), manned.scene.customer()
    manned.scene.write(phone)

    await manned.answered(phone)
    said = await manned.scene.nursery.lyrox(manned.scene.home, "status")

    assert await turns(manned) == before
    assert manned.scene.phones.senders(phone) == [manned.scene.phones.holder(manned.scene.company)]
    assert (said.code, said.out.count("worker ")) == (0, 2), said.out


async def test_workers_share_the_work(manned: Workshop) -> None:
    go_on, asked = asyncio.Event(), asyncio.Event()
    phones = [manned.scene.customer() for _ in range(6)]
    manned.scene.llm.script(*(thinks(go_on, asked) for _ in phones))

    async def all_at_work() -> bool:
        return bool(await manned.scene.look.fetchval(AT_WORK) == len(phones))

    for phone in phones:
        manned.scene.write(phone)
    await manned.scene.until(all_at_work)
    at_work = {await manned.at_work(phone) for phone in phones}
    go_on.set()

    assert at_work == {0, 1}
    for phone in phones:
        await manned.answered(phone)


async def test_a_worker_tells_how_it_is(manned: Workshop) -> None:
    health, _ = await manned.page(1, "/healthz")
    ready, _ = await manned.page(1, "/readyz")
    _, status = await manned.page(1, "/status")
    _, metrics = await manned.page(1, "/metrics")

    assert (health, ready) == (200, 200)
    assert json.loads(status)["worker"] == 1
    assert "lyrox_turns_running 0.0" in metrics


async def test_what_is_written_while_a_worker_ends_its_last_turn_is_answered_by_another(
    manned: Workshop,
) -> None:
    scene, go_on, asked = manned.scene, asyncio.Event(), asyncio.Event()
    phone = scene.customer()
    scene.llm.script(thinks(go_on, asked))
    scene.write(phone, "hola")
    await asyncio.wait_for(asked.wait(), 50)
    worker = manned.workers[await manned.at_work(phone)]
    ended = asyncio.ensure_future(worker.send(signal.SIGTERM))
    await worker.until("stopping")  # It hears no more rings.
    scene.write(phone, "¿cuánto cuesta?")

    async def both_kept() -> bool:
        return await scene.states(phone, "inbox") == ["pending", "taken"]

    async def both_answered() -> bool:
        return await scene.states(phone, "inbox") == ["answered", "answered"]

    await scene.until(both_kept)
    go_on.set()
    await scene.until(both_answered)

    assert await ended == 0
    await scene.until(lambda: sent(scene, phone))
    assert len(scene.phones.arrived(phone)) == 1


async def test_the_turn_of_a_killed_worker_is_another_ones_within_eight_seconds(
    manned: Workshop,
) -> None:
    scene, never, asked = manned.scene, asyncio.Event(), asyncio.Event()
    phone = scene.customer()
    scene.llm.script(thinks(never, asked))
    scene.write(phone)
    await asyncio.wait_for(asked.wait(), 50)

    await manned.workers[await manned.at_work(phone)].send(signal.SIGKILL)
    seconds = await manned.answered(phone)

    assert seconds < TAKEOVER_SECONDS
    never.set()


async def test_a_worker_that_stops_finishes_the_turns_it_has(manned: Workshop) -> None:
    scene, go_on, asked = manned.scene, asyncio.Event(), asyncio.Event()
    phone = scene.customer()
    scene.llm.script(thinks(go_on, asked))
    scene.write(phone)
    await asyncio.wait_for(asked.wait(), 50)
    worker = manned.workers[await manned.at_work(phone)]

    ended = asyncio.ensure_future(worker.send(signal.SIGTERM))
    await worker.until("stopping")
    go_on.set()

    assert await ended == 0
    await manned.answered(phone)
    (attempt,) = await scene.look.fetchrow(
        "SELECT attempt FROM turns t JOIN customers c ON c.id = t.customer_id WHERE c.phone = $1",
        f"+{phone}",
    )
    assert attempt == 1


async def test_systemd_hears_of_a_worker_what_it_hears_of_the_daemon(
    workshop: Workshop, sockets: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(sockets / "notify"))
        door.settimeout(10)
        worker = await workshop.start(7, NOTIFY_SOCKET=str(sockets / "notify"))
        started = door.recv(4096).decode()
        code = await worker.send(signal.SIGTERM)
        said = b""
        while b"STOPPING=1" not in said:
            said = door.recv(4096)

    assert started.startswith("READY=1\nSTATUS=0 turns at work")
    assert code == 0
