"""On the whole road: a person who turns out to stand in two rows goes on in one conversation."""

import asyncio
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from redis.asyncio import Redis

from bot.context_cache import ContextCache
from bot.merges import Merges
from bot.redis_store import RedisStore
from models.conversations import Conversations
from models.customer_merges import MergeDesk
from models.mongo import collections_in
from models.values import InboundMessage, Sender
from tests.builders import message
from tests.contracts.conversation_parts import AWAY
from tests.road.conftest import Echo, OpenScene, Scene

PHONE, LID = "+13055550100", "77"
NO_REDIS = "unix:///nonexistent/redis.sock"
BY_LID, BY_NUMBER = "77@lid", "13055550100@s.whatsapp.net"


def hidden(scene: Scene, text: str, **more: Any) -> InboundMessage:
    return message(scene.company, text, phone=f"lid:{LID}", lid=LID, chat=BY_LID, **more)


def shown(scene: Scene, text: str, **more: Any) -> InboundMessage:
    return message(scene.company, text, phone=PHONE, lid=LID, chat=BY_LID, **more)


def numbered(scene: Scene, text: str, **more: Any) -> InboundMessage:
    return message(scene.company, text, phone=PHONE, chat=BY_NUMBER, **more)


async def told(scene: Scene, count: int, *messages: InboundMessage) -> None:
    """They are received, and *count* replies have reached the phone in all."""
    await scene.receive(*messages)
    await scene.arrived(count)


async def united(scene: Scene) -> list[str]:
    """The lines of the one conversation, once the sweep has been."""
    for _ in range(5):
        await scene.road.sweeper.sweep(60)
    [customer] = await scene.rows("customers", "id")
    lines = await scene.stores.conversations.last(scene.company, customer, 50)
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    return [line.text for line in lines]


async def test_the_next_turn_knows_what_was_said_in_both_rows(open_scene: OpenScene) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        await told(scene, 1, hidden(scene, "uno"))
        await told(scene, 2, numbered(scene, "dos"))
        await told(scene, 3, shown(scene, "tres"))

        history = [line.text for line in echo.asked[-1].history]
        chats = [one.chat for one in scene.wire.arrived]

    assert sorted(history) == ["dos", "oí: dos", "oí: uno", "uno"]
    assert chats == [BY_LID, BY_NUMBER, BY_LID]


async def test_the_documents_and_the_cache_become_one(
    open_scene: OpenScene, mongo_client: Any, mongo_database: str
) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await told(scene, 1, hidden(scene, "uno"))
        await told(scene, 2, numbered(scene, "dos"))
        await told(scene, 3, shown(scene, "tres"))
        await scene.road.memory.flush()

        lines = await united(scene)
        keys = await scene.stores.redis.pipeline(("KEYS", "conversation_context:*"))

    assert sorted(lines) == ["dos", "oí: dos", "oí: tres", "oí: uno", "tres", "uno"]
    assert mongo_client[mongo_database].conversations.count_documents({}) == 1
    assert keys == [[]]


async def test_a_reply_that_was_in_the_making_during_the_merge_is_in_the_one_conversation(
    open_scene: OpenScene, mongo_client: Any, mongo_database: str
) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        await told(scene, 1, numbered(scene, "uno"))
        echo.seconds = 0.4
        await scene.receive(hidden(scene, "dos"))
        await asyncio.sleep(0.2)
        # What shows the number waits for nobody's answer: it only tells who it is.
        await scene.receive(shown(scene, "viejo", stale=True))
        await scene.arrived(2)
        await scene.road.memory.flush()
        await scene.look.execute(
            "UPDATE inbox SET received_at = received_at - interval '1 minute';"
            "UPDATE outbox SET sent_at = sent_at - interval '1 minute'"
        )
        await united(scene)
        await scene.road.memory.flush()
        lines = await united(scene)

    assert sorted(lines) == ["dos", "oí: dos", "oí: uno", "uno", "viejo"]
    assert mongo_client[mongo_database].conversations.count_documents({}) == 1
    assert await scene.look.fetchval("SELECT bool_and(remembered) FROM inbox") is not None


async def test_a_chat_that_rings_with_a_former_id_is_answered_with_its_history(
    open_scene: OpenScene,
) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        await told(scene, 1, numbered(scene, "uno"))
        await told(scene, 2, hidden(scene, "dos"))
        await scene.receive(shown(scene, "yo", sender=Sender.OWNER))
        [former] = await scene.rows("customer_merges", "old_id")
        await scene.road.memory.flush()
        await united(scene)
        await scene.look.execute("UPDATE customers SET paused_until = NULL")
        await scene.look.execute("UPDATE inbox SET state = 'pending' WHERE content = 'dos'")

        scene.road.slots.submit((scene.company, former))
        await scene.arrived(3)

    assert "uno" in [line.text for line in echo.asked[-1].history]


async def test_what_a_hidden_number_wrote_counts_for_its_limit(open_scene: OpenScene) -> None:
    limits = {"messages_per_minute": 3}
    async with open_scene(handlers=[Echo()], limits=limits) as scene:
        await told(scene, 1, hidden(scene, "uno"))
        await told(scene, 2, hidden(scene, "dos"))
        await told(scene, 3, shown(scene, "tres"))
        await told(scene, 4, shown(scene, "cuatro"))
        texts = await scene.arrived(4)
        keys = await scene.stores.redis.pipeline(("KEYS", "rate_limit:*"))
        reasons = await scene.rows("inbox", "reason")

    assert texts[:3] == ["oí: uno", "oí: dos", "oí: tres"]
    assert keys == [[f"rate_limit:{scene.company}:{PHONE}".encode()]]
    assert "over the rate limit" in reasons


@pytest.mark.parametrize("away", ["redis", "mongo"])
async def test_while_a_store_is_away_the_documents_stay_two_and_nothing_else_does(
    open_scene: OpenScene, mongo_database: str, away: str
) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await told(scene, 1, hidden(scene, "uno"))
        await told(scene, 2, numbered(scene, "dos"))
        await told(scene, 3, shown(scene, "tres"))
        stores = scene.stores
        conversations, redis = stores.conversations, stores.redis
        nowhere: Any = AsyncIOMotorClient(AWAY, serverSelectionTimeoutMS=100)
        if away == "mongo":
            conversations = Conversations(collections_in(nowhere, mongo_database))
        else:
            redis = RedisStore(Redis.from_url(NO_REDIS))
        desk = MergeDesk(stores.call, stores.rows)

        await Merges(desk, conversations, ContextCache(redis)).finish()
        early = await scene.rows("customer_merges", "mongo_done")

        async def done() -> bool:
            await united(scene)
            return await scene.rows("customer_merges", "mongo_done") == [True]

        await scene.until(done)
        nowhere.close()

    assert early == [False]
