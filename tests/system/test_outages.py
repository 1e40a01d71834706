"""Stores that go away under a running daemon: nothing is lost or said twice, and status says it."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from aiohttp import web

from bot.whatsapp.aside import aside_of
from bot.whatsapp.events import MESSAGE
from bot.whatsapp.journal_records import Entry
from bot.whatsapp.library import read_protos
from tests.fakes.openai_server import says
from tests.system.conftest import Scene
from tests.system.phone import event
from tests.system.process import Said

NAMES = {"postgres": "PostgreSQL", "redis": "Redis", "mongo": "MongoDB"}


async def status(scene: Scene, *words: str) -> Said:
    return await scene.nursery.lyrox(scene.home, "status", *words)


async def is_ready(scene: Scene) -> bool:
    return (await status(scene)).code == 0


async def has_one_answer(scene: Scene, phone: str) -> None:
    await scene.until(lambda: scene.closed(phone), seconds=40)
    assert len(scene.phones.arrived(phone)) == 1


async def while_asked(scene: Scene, phone: str, deed: Callable[[], Awaitable[object]]) -> None:
    """Let the customer write, and do the *deed* while the model thinks."""
    done = asyncio.Event()

    async def act(request: web.Request) -> web.StreamResponse:
        await deed()
        done.set()
        return await says()(request)

    scene.llm.script(act)
    scene.write(phone)
    await asyncio.wait_for(done.wait(), 50)


@pytest.fixture
async def ready(scene: Scene) -> Scene:
    await scene.start()
    for valve in (scene.valves.postgres, scene.valves.redis, scene.valves.mongo):
        await valve.open()
    await scene.until(lambda: is_ready(scene))
    return scene


async def test_a_flushed_redis_in_the_middle_of_a_turn_costs_nothing(
    ready: Scene, redis_url: str
) -> None:
    phone = ready.customer()

    async def flush() -> None:
        reader, writer = await asyncio.open_unix_connection(ready.valves.redis.front)
        writer.write(f"SELECT {redis_url.rpartition('=')[2]}\r\nFLUSHDB\r\n".encode())
        assert await reader.readuntil(b"+OK\r\n+OK\r\n")
        writer.close()

    await while_asked(ready, phone, flush)

    await has_one_answer(ready, phone)


@pytest.mark.parametrize("store", ["redis", "mongo"])
async def test_without_a_hint_or_a_memory_customers_are_answered(ready: Scene, store: str) -> None:
    before, during = ready.customer(), ready.customer()
    valve = getattr(ready.valves, store)

    await while_asked(ready, before, valve.cut)
    ready.write(during)
    for phone in (before, during):
        await has_one_answer(ready, phone)
    said = await status(ready)
    await valve.open()

    assert said.code == 3
    assert f"{NAMES[store]} does not answer" in said.out
    await ready.until(lambda: is_ready(ready))


async def test_without_postgresql_messages_wait_and_then_get_one_answer(ready: Scene) -> None:
    before, during = ready.customer(), ready.customer()

    await while_asked(ready, before, ready.valves.postgres.cut)
    ready.write(during)
    said = await status(ready)
    await ready.valves.postgres.open()

    assert said.code == 3
    assert "PostgreSQL does not answer" in said.out
    for phone in (before, during):
        await has_one_answer(ready, phone)
    assert await is_ready(ready)


async def test_what_waits_on_the_disk_is_said_and_then_taken_in_order(ready: Scene) -> None:
    before = ready.customer()
    ready.write(before)
    await has_one_answer(ready, before)  # The session is connected.
    await ready.valves.postgres.cut()
    phones = [ready.customer() for _ in range(5)]
    ids = [ready.write(phone) for phone in phones]

    async def kept() -> bool:
        return all(ready.phones.taken(wa_id) for wa_id in ids)

    async def degraded() -> bool:
        _, metrics = await ready.home.get("/metrics")
        return 'lyrox_degraded{mode="postgres"} 1.0' in metrics

    await ready.until(kept)
    await ready.until(degraded)
    said = (await status(ready, "--json")).json()
    await ready.valves.postgres.open()
    for phone in phones:
        await has_one_answer(ready, phone)

    assert said["journal"] == len(ids)
    assert [one["mode"] for one in said["degraded"]] == ["postgres"]
    rows = await ready.look.fetch(
        "SELECT wa_id FROM inbox WHERE wa_id = ANY($1::text[]) ORDER BY id", ids
    )
    assert [row["wa_id"] for row in rows] == ids


async def test_a_message_that_was_set_aside_is_shown_and_answered_once_it_is_ordered_back(
    ready: Scene,
) -> None:
    phone = ready.customer()
    line = {"phone": phone, "text": "hola", "id": f"ASIDE-{phone}", "at": int(1000 * time.time())}
    aside = aside_of(ready.home.state_dir, ready.company)
    entry = Entry(10**9, MESSAGE, event(read_protos(), line))
    aside.keep(entry, why="KeyError", at=datetime.now(UTC))
    ready.asked[phone] = "hola"

    shown = await status(ready)
    _, metrics = await ready.home.get("/metrics")
    ordered = await ready.nursery.lyrox(ready.home, "aside", "retry", "panaderia")

    assert "1 message of panaderia set aside, because LYROX fails on them" in shown.out
    assert "lyrox_set_aside_events 1.0" in metrics
    assert ordered.out.startswith("1 message for intake again")
    await has_one_answer(ready, phone)
    assert aside.events() == []


@pytest.mark.parametrize("store", NAMES)
async def test_status_names_a_store_that_hangs_while_others_wait_for_it(
    ready: Scene, store: str
) -> None:
    phone = ready.customer()
    valve = getattr(ready.valves, store)

    valve.hold()
    said = await status(ready, "--json")
    ready.write(phone)
    await valve.open()

    assert said.code == 3
    assert [NAMES[store] in problem for problem in said.json()["problems"]] == [True]
    await has_one_answer(ready, phone)


async def test_a_stop_in_the_middle_of_a_turn_lets_it_end(ready: Scene) -> None:
    phone = ready.customer()
    daemon = await ready.start()

    async def stop() -> None:
        os.kill(daemon.pid, signal.SIGTERM)
        await daemon.until("stopping")

    await while_asked(ready, phone, stop)

    assert await daemon.ended() == 0
    assert await ready.closed(phone)
    assert len(ready.phones.arrived(phone)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("store", NAMES)
async def test_a_stop_does_not_wait_for_ever_for_a_store_that_hangs(
    ready: Scene, store: str
) -> None:
    daemon = await ready.start()
    valve = getattr(ready.valves, store)

    valve.hold()
    code = await daemon.send(signal.SIGTERM)
    await valve.open()

    assert code == 0
