"""After a time away: one answer for all that waited, and a list of what came too late."""

import asyncio
from datetime import UTC, datetime, timedelta

from models.values import Sender
from tests.builders import message
from tests.road.conftest import Echo, OpenScene


async def test_a_backlog_is_one_turn_a_customer_however_long_it_takes_to_come_in(
    open_scene: OpenScene,
) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        scene.wire.catching_up, scene.wire.connected = True, False
        for number in range(6):
            await scene.receive(message(scene.company, f"mensaje {number}"))
            await asyncio.sleep(0.1)
        before = len(echo.asked)
        scene.wire.catching_up, scene.wire.connected = False, True
        said = await scene.arrived(1)

    assert before == 0
    assert said == ["oí: " + "\n".join(f"mensaje {number}" for number in range(6))]


async def test_the_sweep_leaves_a_backlog_alone_while_more_is_coming_in(
    open_scene: OpenScene,
) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        scene.wire.catching_up = True
        await scene.receive(message(scene.company))
        scene.road.lanes.close()
        await scene.road.sweeper.sweep(0)
        await asyncio.sleep(0.2)
        before = len(echo.asked)
        scene.wire.catching_up = False
        await scene.road.sweeper.sweep(0)
        await scene.arrived(1)

    assert before == 0


async def test_what_waited_is_answered_in_the_order_in_which_it_was_written(
    open_scene: OpenScene,
) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        scene.wire.catching_up = True
        then = datetime.now(UTC) - timedelta(hours=1)
        for seq, (text, second) in enumerate([("dos", 5), ("tres", 9), ("uno", 1), ("cuatro", 9)]):
            at = then + timedelta(seconds=second)
            await scene.receive(message(scene.company, text, sent_at=at, journal_seq=seq))
        scene.wire.catching_up = False
        await scene.arrived(1)

    assert [line.text for line in echo.asked[0].messages] == ["uno", "dos", "tres", "cuatro"]


async def test_what_came_too_late_is_listed_until_somebody_writes_there(
    open_scene: OpenScene,
) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        for number in range(2):
            await scene.receive(
                message(
                    scene.company, stale=True, phone=f"+1305555010{number}", chat=f"{number}@lid"
                )
            )
        await scene.receive(message(scene.company, stale=True, phone="+13055550100", chat="0@lid"))
        listed = (await scene.road.desk.overview())["too_old"]
        await scene.receive(
            message(scene.company, "ya vi", sender=Sender.OWNER, phone="+13055550100", chat="0@lid")
        )
        later = (await scene.road.desk.overview())["too_old"]

    assert [(row["customer"], row["messages"]) for row in listed] == [
        ("+13055550100", 2),
        ("+13055550101", 1),
    ]
    assert [row["customer"] for row in later] == ["+13055550101"]
    assert scene.wire.texts() == []
