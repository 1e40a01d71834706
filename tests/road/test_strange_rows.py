"""A row that nobody foresaw concerns its own chat at most; it ends no loop that serves all."""

from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient

from models.errors import GiveUp
from models.values import CustomerRef, Stage
from tests.builders import message
from tests.road.conftest import Echo, OpenScene, Scene


async def let_the_sweep_write_it_all_again(scene: Scene) -> None:
    await scene.look.execute(
        "UPDATE inbox SET received_at = now() - interval '1 minute', remembered = false"
    )
    for _ in range(5):  # One of five rounds looks for it.
        await scene.road.sweeper.sweep(60)


async def test_a_stage_of_somebody_elses_is_answered_and_stays(open_scene: OpenScene) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        await scene.receive(message(scene.company, "hola"))
        await scene.arrived(1)
        await scene.look.execute("UPDATE customers SET stage = 'mayorista'")

        await let_the_sweep_write_it_all_again(scene)
        await scene.receive(message(scene.company, "sigo"))

        assert (await scene.arrived(2))[1] == "oí: sigo"
        assert echo.asked[1].customer.stage is Stage.QUALIFIED  # From which none is moved.
        assert await scene.rows("customers", "stage") == ["mayorista"]


async def test_a_line_of_another_programs_is_no_silence(
    open_scene: OpenScene, mongo_client: MongoClient[dict[str, Any]], mongo_database: str
) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await scene.receive(message(scene.company, "hola"))
        await scene.arrived(1)
        (customer,) = await scene.rows("customers", "id")
        conversations = mongo_client[mongo_database].conversations

        async def written() -> bool:
            return conversations.count_documents({"messageCount": 2}) == 1

        await scene.until(written)
        foreign = {"id": "X1", "text": "hola", "sender": "bot"}
        conversations.update_one({}, {"$push": {"messages": foreign}})
        await scene.stores.redis.pipeline(["FLUSHDB"])

        await scene.receive(message(scene.company, "sigo"))

        assert (await scene.arrived(2))[1] == "oí: sigo"
        heir = CustomerRef(uuid4(), "+13055550199")
        with pytest.raises(GiveUp, match="no line of ours"):  # Which ends no sweep.
            await scene.stores.conversations.unite(scene.company, customer, heir)
