"""History is written, cached and marked with as few words to the stores as possible."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any, cast
from uuid import uuid4

from bot.background import Background
from bot.context_cache import ContextCache
from bot.memory import RIPE_SECONDS, TOGETHER_SECONDS, Memory
from models.conversations import Conversations
from models.errors import GiveUp
from models.mongo import Collection, Collections
from models.values import CustomerRef, Line, Reply, Sender, Stage
from tests.builders import message
from tests.road.conftest import Echo, OpenScene

LINE = Line("M1", datetime(2026, 11, 2, 15, tzinfo=UTC), Sender.CUSTOMER, "hola")


async def test_a_row_is_marked_by_the_sweep_once_its_line_has_ripened(
    open_scene: OpenScene,
) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await scene.receive(message(scene.company, "hola"))
        await scene.arrived(1)
        await scene.road.sweeper.sweep(60)
        early = await scene.rows("inbox", "remembered")
        await asyncio.sleep(RIPE_SECONDS)
        await scene.road.sweeper.sweep(60)

        assert early == [False]
        assert await scene.rows("inbox", "remembered") == [True]
        assert await scene.rows("outbox", "remembered") == [True]


async def test_question_and_reply_go_into_the_cache_together(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo(seconds=0.3)]) as scene:
        await scene.receive(message(scene.company, "uno"))
        await scene.arrived(1)
        await scene.receive(message(scene.company, "dos"))
        await asyncio.sleep(0.2)
        (customer,) = await scene.rows("customers", "id")
        key = f"conversation_context:{scene.company}:{customer}"
        [before] = await scene.stores.redis.pipeline(("LRANGE", key, 0, -1))
        await scene.arrived(2)
        [after] = await scene.stores.redis.pipeline(("LRANGE", key, 0, -1))

    assert (len(before), len(after)) == (2, 4)


async def test_question_and_reply_go_into_the_document_together(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo(seconds=0.3)]) as scene:
        await scene.receive(message(scene.company, "uno"))
        await asyncio.sleep(0.15)
        (customer,) = await scene.rows("customers", "id")
        last = partial(scene.stores.conversations.last, scene.company, customer)
        before = await last()
        await scene.arrived(1)

        async def written() -> bool:
            return len(await last()) == 2

        await scene.until(written)

    assert before == []


async def test_a_conversation_follows_its_customers_stage(
    open_scene: OpenScene, mongo_client: Any, mongo_database: str
) -> None:
    stages = iter((None, Stage.QUALIFIED, None))
    echo = Echo(says=lambda _: Reply(("dale",), "persona", stage=next(stages)))
    found = []
    async with open_scene(handlers=[echo]) as scene:
        for number in (1, 2, 3):
            await scene.receive(message(scene.company, f"mensaje {number}"))
            await scene.arrived(number)
            await scene.road.memory.flush()
            document = mongo_client[mongo_database].conversations.find_one({})
            found.append(document and document["stage"])

    assert found == ["lead", "qualified", "qualified"]


async def test_chats_that_speak_at_once_are_written_together_and_a_lone_one_soon(
    open_scene: OpenScene,
) -> None:
    class Noting(Conversations):
        times: list[float]

        async def append(self, *_: object, **__: object) -> None:
            self.times.append(asyncio.get_running_loop().time())

    async with (
        open_scene(handlers=[Echo()], attach=False) as scene,
        Background(drain_seconds=2) as notes,
    ):
        nothing = cast("Collection", None)
        noting = Noting(Collections(nothing, nothing))
        noting.times = []
        memory = Memory(noting, ContextCache(scene.stores.redis), scene.road.desk, notes)
        reply = replace(LINE, sender=Sender.AGENT)
        for number in range(6):
            customer = CustomerRef(uuid4(), f"+58414000000{number}")
            memory.remember("outbox", number, scene.company, customer, reply)
            await asyncio.sleep(0.04)
        await memory.flush()

    gaps = [later - sooner for sooner, later in pairwise(sorted(noting.times))]
    assert len(noting.times) == 6
    assert 1 <= sum(gap > TOGETHER_SECONDS / 2 for gap in gaps) <= 2


async def test_what_nobody_replies_to_is_written_all_the_same(open_scene: OpenScene) -> None:
    async with (
        open_scene(handlers=[Echo()], attach=False) as scene,
        Background(drain_seconds=2) as notes,
    ):
        stores, desk = scene.stores, scene.road.desk
        memory = Memory(
            stores.conversations, ContextCache(stores.redis), desk, notes, reply_seconds=0.1
        )
        customer = CustomerRef(uuid4(), "+584140000001")
        running = asyncio.ensure_future(memory.run())
        memory.remember("inbox", 1, scene.company, customer, LINE)

        async def written() -> bool:
            return bool(await stores.conversations.last(scene.company, customer.id))

        early = await written()
        await scene.until(written)
        running.cancel()

    assert not early


async def test_a_line_that_can_never_be_written_ends_neither_the_loop_nor_a_stop(
    open_scene: OpenScene,
) -> None:
    class Refusing(Conversations):
        async def append(self, *_: object, **__: object) -> None:
            raise GiveUp("MongoDB can never keep this")

    async with (
        open_scene(handlers=[Echo()], attach=False) as scene,
        Background(drain_seconds=2) as notes,
    ):
        nothing = cast("Collection", None)
        refusing = Refusing(Collections(nothing, nothing))
        cache, desk = ContextCache(scene.stores.redis), scene.road.desk
        memory = Memory(refusing, cache, desk, notes, reply_seconds=0.1)
        running = asyncio.ensure_future(memory.run())
        memory.remember("inbox", 1, scene.company, CustomerRef(uuid4(), "+584140000001"), LINE)
        done, _ = await asyncio.wait([running], timeout=RIPE_SECONDS + 1)
        memory.remember("inbox", 1, scene.company, CustomerRef(uuid4(), "+584140000001"), LINE)
        await memory.flush()
        running.cancel()

    assert not done


async def test_a_stop_writes_what_nobody_replied_to(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()], attach=False) as scene:
        customer = CustomerRef(uuid4(), "+584140000001")
        scene.road.memory.remember("inbox", 1, scene.company, customer, LINE)
        await scene.road.memory.flush()

        lines = await scene.stores.conversations.last(scene.company, customer.id)

    assert [line.id for line in lines] == [LINE.id]


async def test_a_stop_leaves_nothing_unmarked(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await scene.receive(message(scene.company, "hola"))
        await scene.arrived(1)
        look = scene.look

    assert await look.fetchval("SELECT bool_and(remembered) FROM inbox")
    assert await look.fetchval("SELECT bool_and(remembered) FROM outbox")
