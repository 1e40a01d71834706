"""A clock that jumps an hour, either way: nothing is lost, said twice, or kept waiting for it.

A clock that was set back is the same as times in the ledger that lie ahead.
"""

from datetime import UTC, datetime, timedelta

import pytest

from models.errors import RetryLater
from tests.builders import message
from tests.road.conftest import Echo, OpenScene, Scene

HOUR = timedelta(hours=1)
GRACE = 60.0
"""Longer than any test: only what the clock concerns is found."""
OURS = {
    "inbox": ("received_at",),
    "turns": ("claimed_at", "due_at", "closed_at"),
    "outbox": ("created_at", "sending_at", "sent_at"),
    "customers": ("noticed_at", "limited_until"),
}


async def jump(scene: Scene, by: timedelta) -> None:
    """The clock of PostgreSQL jumps *by* so much."""
    for table, columns in OURS.items():
        changes = ", ".join(f"{column} = {column} - $1::interval" for column in columns)
        await scene.look.execute(f"UPDATE {table} SET {changes}", by)  # noqa: S608


async def keep(scene: Scene, text: str, phone: str, *, claimed: bool = False) -> None:
    """A message that no lane knows; *claimed*: by a turn that this process does not run."""
    written = message(scene.company, text, phone=f"+{phone}", chat=f"{phone}@s.whatsapp.net")
    kept = await scene.road.ledger.accept(written, reason=None, pause_seconds=0.0)
    if claimed:
        await scene.road.ledger.claim(scene.company, kept.customer.id, scene.road.host.id)


@pytest.mark.parametrize("by", [-HOUR, HOUR])
async def test_the_next_sweep_finds_all_that_waits(open_scene: OpenScene, by: timedelta) -> None:
    echo = Echo(failures=[RetryLater("no model answers")])
    async with open_scene(handlers=[echo], llm={"retry_minutes": [5.0]}) as scene:
        await scene.receive(message(scene.company, "aplazado"))
        await scene.arrived(1)  # The notice.
        await keep(scene, "sin turno", "13055550102")
        await keep(scene, "turno perdido", "13055550103", claimed=True)
        await jump(scene, by)

        await scene.road.sweeper.sweep(GRACE)

        answers = (await scene.arrived(4))[1:]
        assert sorted(answers) == ["oí: aplazado", "oí: sin turno", "oí: turno perdido"]


@pytest.mark.parametrize("by", [-HOUR, HOUR])
async def test_a_send_whose_end_nobody_saw_is_looked_at_once(
    open_scene: OpenScene, by: timedelta
) -> None:
    async with open_scene(handlers=[Echo()], attach=False) as scene:
        await scene.receive(message(scene.company))

        async def ready() -> bool:
            return await scene.rows("outbox") == ["ready"]

        await scene.until(ready)
        await scene.look.execute("UPDATE outbox SET state = 'sending', sending_at = now()")
        young = await scene.road.desk.ready()
        await jump(scene, by)

        assert young == []
        assert [company for company, _ in await scene.road.desk.ready()] == [scene.company]


async def test_a_notice_of_an_hour_that_comes_again_does_not_silence_the_next(
    open_scene: OpenScene,
) -> None:
    echo = Echo(failures=[RetryLater("away"), RetryLater("still away")])
    async with open_scene(handlers=[echo], llm={"retry_minutes": [5.0, 5.0]}) as scene:
        await scene.receive(message(scene.company))
        (notice,) = await scene.arrived(1)
        await jump(scene, -HOUR)

        await scene.road.sweeper.sweep(GRACE)

        assert await scene.arrived(2) == [notice, notice]


@pytest.mark.parametrize("by", [-HOUR, HOUR])
async def test_neither_a_full_window_nor_a_message_from_another_hour_is_silence(
    open_scene: OpenScene, by: timedelta
) -> None:
    async with open_scene(handlers=[Echo()], limits={"messages_per_minute": 2}) as scene:
        for number, sent_at in enumerate((datetime.now(UTC), datetime.now(UTC) - by), start=1):
            await scene.receive(message(scene.company, f"{number}", sent_at=sent_at))
            await scene.arrived(number)
        await jump(scene, by)
        await scene.stores.redis.pipeline(["FLUSHDB"])

        await scene.receive(message(scene.company, "3"))

        assert await scene.arrived(3) == ["oí: 1", "oí: 2", "oí: 3"]
