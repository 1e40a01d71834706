"""A product's picture on its way: with the first part, and never in the way of the text."""

import pytest

from models.values import Reply, Turn
from tests.builders import message
from tests.road.conftest import Echo, OpenScene, Scene

PLACE = "https://shop.test/plan.jpg"


def shows(_: Turn) -> Reply:
    return Reply(("el plan", "¿te gusta?"), "persona", picture=PLACE)


async def bubbles(scene: Scene) -> list[tuple[str, bytes | None]]:
    await scene.arrived(2)
    return [(one.text, one.picture) for one in scene.wire.arrived]


async def test_the_first_part_goes_under_the_picture(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo(says=shows)]) as scene:
        scene.wire.pictures[PLACE] = b"jpeg"
        await scene.receive(message(scene.company, "¿foto?"))

        assert await bubbles(scene) == [("el plan", b"jpeg"), ("¿te gusta?", None)]


async def test_a_picture_that_waited_in_the_ledger_is_not_lost(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo(says=shows)]) as scene:
        scene.wire.pictures[PLACE] = b"jpeg"
        scene.wire.connected = False
        await scene.receive(message(scene.company, "¿foto?"))

        async def ready() -> bool:
            return await scene.rows("outbox") == ["ready", "ready"]

        await scene.until(ready)
        scene.wire.connected = True
        await scene.road.sweeper.sweep(60)

        assert await bubbles(scene) == [("el plan", b"jpeg"), ("¿te gusta?", None)]


async def test_a_picture_that_cannot_be_had_leaves_the_text(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo(says=shows)]) as scene:
        await scene.receive(message(scene.company, "¿foto?"))

        assert await bubbles(scene) == [("el plan", None), ("¿te gusta?", None)]


@pytest.mark.parametrize("place", [PLACE, None])
async def test_the_turn_knows_where_a_products_picture_is(
    open_scene: OpenScene, place: str | None
) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        await scene.look.execute("UPDATE products SET image = $1", place)
        await scene.receive(message(scene.company, "hola"))
        await scene.arrived(1)

        assert {one.picture for one in echo.asked[0].company.products} == {place}
