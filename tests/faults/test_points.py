"""kill -9 anywhere in a turn: nothing is lost, and nothing is said twice."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.fakes.openai_server import says
from tests.faults import points
from tests.faults.points import CLIENT_POINTS, POINTS, ClientMoment
from tests.system import gates
from tests.system.conftest import Scene

ALL: dict[str, ClientMoment] = {**CLIENT_POINTS, **POINTS}
PARAGRAPH = "Te cuento con calma cómo es el plan, qué incluye y cómo empezamos. " * 4


@pytest.fixture(scope="module")
async def gated(scene: Scene) -> Scene:
    """The scene, with every step's gate open and a moment of typing."""
    await gates.install(scene.look)
    return scene


@asynccontextmanager
async def killed(scene: Scene, moment: ClientMoment, phone: str) -> AsyncIterator[None]:
    """Kill the daemon at *moment*, then run another one."""
    await scene.start()
    await moment(scene, lambda: scene.write(phone))
    await gates.alone(scene.look)
    await scene.start()
    yield


@pytest.mark.parametrize("point", ALL)
async def test_whenever_it_is_killed_the_customer_has_one_answer(gated: Scene, point: str) -> None:
    phone = gated.customer()

    async with killed(gated, ALL[point], phone):
        await gated.until(lambda: gated.closed(phone))

    assert len(gated.phones.arrived(phone)) == 1


async def test_of_a_reply_in_two_parts_each_comes_once_and_in_order(gated: Scene) -> None:
    phone = gated.customer()
    parts = [f"{number}. {PARAGRAPH.strip()}" for number in (1, 2)]
    gated.llm.script(says("\n\n".join(parts)))

    async def all_sent() -> bool:
        return await gated.states(phone, "outbox") == ["sent", "sent"]

    async with killed(gated, points.BETWEEN, phone):
        await gated.until(all_sent)

    assert gated.phones.arrived(phone) == parts
    del gated.asked[phone]


async def test_in_the_one_window_that_remains_it_is_not_said_twice(gated: Scene) -> None:
    phone = gated.customer()

    async with killed(gated, points.IN_THE_WINDOW, phone):
        await gated.until(lambda: gated.closed(phone))

    assert gated.phones.arrived(phone) == []
    unconfirmed = "SELECT content FROM outbox WHERE chat LIKE $1 AND NOT confirmed"
    assert len(await gated.look.fetch(unconfirmed, f"{phone}@%")) == 1
    del gated.asked[phone]


async def test_after_all_of_it_each_line_stands_in_the_history_once(gated: Scene) -> None:
    await gated.start()

    async def all_marked() -> bool:
        # Only old rows are looked for again; this makes them old.
        for table, column in (("inbox", "received_at"), ("outbox", "sent_at")):
            await gated.look.execute(
                f"UPDATE {table} SET {column} = {column} - interval '10 seconds'"  # noqa: S608
                f" WHERE NOT remembered AND {column} > now() - interval '30 seconds'"
            )
        open_rows = "SELECT count(*) FROM {} WHERE NOT remembered"
        inbox = await gated.look.fetchval(open_rows.format("inbox"))
        return not inbox and not await gated.look.fetchval(open_rows.format("outbox"))

    await gated.until(all_marked, seconds=30)

    for phone, text in gated.asked.items():
        lines = gated.remembered(phone)
        assert lines[0] == ("customer", text), phone
        assert [sender for sender, _ in lines] == ["customer", "agent"], phone
        assert lines[1][1] == gated.phones.arrived(phone)[0]
