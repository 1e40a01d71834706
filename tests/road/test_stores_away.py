"""A store that goes, is emptied, comes back: what is missing of it is rebuilt from PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from uuid import UUID

import pytest

from bot.jobs import open_doorbell
from bot.lanes import Chat
from bot.stores import Urls
from models.errors import RetryLater
from tests.builders import message
from tests.road.conftest import Echo, OpenScene, Scene
from tests.system.valve import Valve, valve

BEFORE = ["uno", "oí: uno"]
ALL = [*BEFORE, "dos", "oí: dos"]


@pytest.fixture
async def mongo(
    stores: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Valve]:
    """A valve before MongoDB."""
    behind = Path(unquote(urlsplit(stores["mongod"]).hostname or ""))
    async with valve(behind, tmp_path_factory.mktemp("s") / "m.sock") as opened:
        yield opened


@pytest.fixture
def urls(store_urls: Urls, mongo: Valve) -> Urls:
    place = quote(str(mongo.front), safe="")
    return replace(store_urls, mongo=urlsplit(store_urls.mongo)._replace(netloc=place).geturl())


async def remembered(scene: Scene, customer: UUID) -> list[str]:
    """What the conversation document holds; nothing while nobody can say."""
    try:
        lines = await scene.stores.conversations.last(scene.company, customer)
    except RetryLater:
        return []
    return [line.text for line in lines]


async def cached(scene: Scene, customer: UUID) -> int:
    """How many lines the context cache holds."""
    key = f"conversation_context:{scene.company}:{customer}"
    [found] = await scene.stores.redis.pipeline(("LRANGE", key, 0, -1))
    return len(found)


async def test_without_mongodb_and_cache_a_turn_knows_the_chat_by_the_ledger(
    open_scene: OpenScene, urls: Urls, mongo: Valve
) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo], urls=urls) as scene:
        await scene.receive(message(scene.company, "uno"))
        await scene.arrived(1)
        await scene.road.memory.flush()
        assert await scene.rows("inbox", "remembered") == [True]
        await mongo.cut()
        await scene.stores.redis.pipeline(["FLUSHDB"])

        await scene.receive(message(scene.company, "dos"))
        await scene.arrived(2)

    assert [line.text for line in echo.asked[-1].history] == BEFORE


async def test_what_mongodb_missed_is_written_when_it_is_back(
    open_scene: OpenScene, urls: Urls, mongo: Valve
) -> None:
    async with open_scene(handlers=[Echo()], urls=urls) as scene:
        await mongo.cut()
        await scene.receive(message(scene.company, "uno"))
        await scene.arrived(1)
        await scene.receive(message(scene.company, "dos"))
        await scene.arrived(2)
        (customer,) = await scene.rows("customers", "id")
        await mongo.open()
        assert await remembered(scene, customer) == []
        await scene.look.execute(
            "UPDATE inbox SET received_at = received_at - interval '1 minute';"
            "UPDATE outbox SET sent_at = sent_at - interval '1 minute'"
        )

        async def whole() -> bool:
            await scene.road.sweeper.sweep(60)
            return sorted(await remembered(scene, customer)) == sorted(ALL)

        await scene.until(whole)


async def test_a_lost_doorbell_is_rung_again_by_the_sweep(
    open_scene: OpenScene, store_urls: Urls
) -> None:
    async with open_doorbell(store_urls.redis) as doorbell:

        async def ring(chat: Chat, newest: str) -> None:
            await doorbell.ring(*chat, newest, datetime.now(UTC))

        async with open_scene(handlers=[Echo()], ring=ring) as scene:
            await scene.receive(message(scene.company, "uno"))

            async def rung() -> bool:
                [length] = await scene.stores.redis.pipeline(("LLEN", "message_processing"))
                return bool(length == 1)

            await scene.until(rung)
            await scene.stores.redis.pipeline(["FLUSHDB"])
            hearing = asyncio.ensure_future(
                doorbell.answer(lambda *chat: scene.road.slots.submit(chat))
            )
            await asyncio.sleep(0.1)
            assert scene.wire.arrived == []

            await scene.road.sweeper.sweep(0)

            assert await scene.arrived(1) == ["oí: uno"]
            doorbell.stop()
            hearing.cancel()


async def test_a_flushed_conversation_is_cached_anew_with_the_next_answer(
    open_scene: OpenScene,
) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        await scene.receive(message(scene.company, "uno"))
        await scene.arrived(1)
        await scene.road.memory.flush()
        (customer,) = await scene.rows("customers", "id")
        await scene.stores.redis.pipeline(["FLUSHDB"])
        held = partial(cached, scene, customer)
        assert await held() == 0

        await scene.receive(message(scene.company, "dos"))
        await scene.arrived(2)

        async def whole() -> bool:
            return await held() == len(ALL)

        await scene.until(whole)

    assert [line.text for line in echo.asked[-1].history] == BEFORE
