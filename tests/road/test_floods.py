"""A customer who floods is told once a window, then nothing; all of it stays in the history."""

from functools import partial

from models.values import Sender
from tests.builders import message
from tests.road.conftest import QUICK, Echo, OpenScene, Scene

PATIENT = {**QUICK["conversation"], "quiet_seconds": 0.3, "longest_seconds": 5}


async def test_a_flood_is_in_the_history_with_its_one_notice_a_window(
    open_scene: OpenScene,
) -> None:
    async with open_scene(
        handlers=[Echo()], limits={"messages_per_minute": 2}, conversation=PATIENT
    ) as scene:
        for window in ("a", "b"):
            for number in range(5):
                await scene.receive(message(scene.company, f"{window}{number}"))
            await scene.arrived(2 if window == "a" else 4)
            await scene.stores.redis.pipeline(["FLUSHDB"])  # The minute is over,
            await scene.look.execute("UPDATE customers SET limited_until = NULL")
        await scene.until(partial(remembered, scene, 14))
        customer = await scene.look.fetchval("SELECT id FROM customers")
        lines = await scene.stores.conversations.last(scene.company, customer, 20)

    said = [line.text for line in lines if line.sender is Sender.CUSTOMER]
    ours = [line.text for line in lines if line.sender is Sender.AGENT]
    assert said == [f"{window}{number}" for window in "ab" for number in range(5)]
    assert [text for text in ours if text.startswith("oí")] == ["oí: a0\na1", "oí: b0\nb1"]
    assert len(ours) == 4


async def remembered(scene: Scene, count: int) -> bool:
    """Whether so many rows are marked as remembered."""
    inbox, outbox = (
        await scene.rows("inbox", "remembered"),
        await scene.rows("outbox", "remembered"),
    )
    return bool(sum(inbox) + sum(outbox) == count)
