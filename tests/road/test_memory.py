"""History is written, cached and marked with as few words to the stores as possible."""

import asyncio

from bot.memory import RIPE_SECONDS
from tests.builders import message
from tests.road.conftest import Echo, OpenScene


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


async def test_a_stop_leaves_nothing_unmarked(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await scene.receive(message(scene.company, "hola"))
        await scene.arrived(1)
        look = scene.look

    assert await look.fetchval("SELECT bool_and(remembered) FROM inbox")
    assert await look.fetchval("SELECT bool_and(remembered) FROM outbox")
