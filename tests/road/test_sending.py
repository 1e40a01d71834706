"""Several chats on one account: one send in flight, the next made ready, all others wait."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from bot.courier import MOST_HELD
from bot.sending import CLOSE_SECONDS, SIDE_BY_SIDE
from bot.stores import Urls
from bot.wire import NotSent, Outgoing
from models.values import Reply, Turn
from tests.builders import make_company, message
from tests.fakes.wire import FakeWire
from tests.road.conftest import Echo, OpenScene, Scene

CHATS = [f"1305555010{number}@s.whatsapp.net" for number in range(SIDE_BY_SIDE + 1)]


@pytest.fixture
async def busy(open_scene: OpenScene) -> AsyncIterator[Scene]:
    """Several customers have been answered; one answer is in flight and takes its time."""
    async with open_scene(handlers=[Echo()]) as scene:
        scene.wire.seconds = 0.6
        for chat in CHATS:
            await scene.receive(message(scene.company, "hola", chat=chat, phone=f"+{chat[:11]}"))

        async def some_are_next() -> bool:
            return sorted(await scene.rows("outbox")) == ["ready", *["sending"] * SIDE_BY_SIDE]

        await scene.until(some_are_next)
        yield scene


async def test_while_one_is_in_flight_the_next_are_made_ready_and_each_leaves_once(
    busy: Scene,
) -> None:
    assert busy.wire.texts() == []

    await busy.arrived(len(CHATS))
    await asyncio.sleep(0.3)

    assert sorted(one.chat for one in busy.wire.arrived) == CHATS
    assert await busy.rows("outbox") == ["sent"] * len(CHATS)


async def test_a_pause_that_comes_while_another_send_takes_long_still_holds(busy: Scene) -> None:
    pause = "UPDATE customers SET paused_until = now() + interval '1 hour', pause_reason = 'owner'"
    await busy.look.execute(pause)

    await busy.arrived(1)

    async def stopped() -> bool:
        return sorted(await busy.rows("outbox")) == ["sent", *["stopped"] * SIDE_BY_SIDE]

    await busy.until(stopped)
    assert len(busy.wire.arrived) == 1


async def test_what_was_made_ready_on_a_wire_that_closes_waits_for_the_next_one(
    busy: Scene,
) -> None:
    await busy.road.delivery.detach(busy.company)

    waiting = ["ready"] * SIDE_BY_SIDE
    assert sorted(await busy.rows("outbox")) in ([*waiting, "sending"], [*waiting, "sent"])
    assert len(busy.wire.arrived) <= 1


async def test_who_waited_for_a_slow_send_is_the_next_to_leave(busy: Scene) -> None:
    rows = "SELECT chat FROM outbox WHERE state = 'ready'"
    last = await busy.look.fetchval(rows)

    await busy.arrived(len(CHATS))

    assert busy.wire.arrived[-1].chat == last


async def test_where_calls_queue_for_a_connection_a_last_look_is_asked_once(
    open_scene: OpenScene,
) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        queue = [asyncio.create_task(_ask_on(scene)) for _ in range(20)]
        await scene.receive(message(scene.company, "hola"))
        await scene.arrived(1)
        for asking in queue:
            asking.cancel()
        await asyncio.gather(*queue, return_exceptions=True)

    assert scene.database.called.count("road_sending") == 1
    assert "road_unsent" not in scene.database.called


async def _ask_on(scene: Scene) -> None:
    while True:
        await scene.database.database.call("pg_sleep", 0.2)


@pytest.mark.parametrize("parts", [1, 2])
async def test_who_writes_while_the_answer_leaves_begins_a_turn_when_all_of_it_has_left(
    open_scene: OpenScene, parts: int
) -> None:
    def says(turn: Turn) -> Reply:
        return Reply(tuple(f"{turn.text} {part}" for part in range(parts)), "persona")

    async with open_scene(handlers=[Echo(says=says)]) as scene:
        scene.wire.seconds = 0.3
        await scene.receive(message(scene.company, "uno", wa_id="1"))

        async def leaves() -> bool:
            return "sending" in await scene.rows("outbox")

        await scene.until(leaves)
        await scene.receive(message(scene.company, "dos", wa_id="2"))

        assert await scene.arrived(2 * parts) == [
            f"{asked} {part}" for asked in ("uno", "dos") for part in range(parts)
        ]
        assert scene.database.called.count("road_claim") == 2


async def test_beside_a_notice_that_leaves_a_turn_begins(open_scene: OpenScene) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        hello = message(scene.company, "uno", wa_id="1")
        await scene.receive(hello)
        await scene.arrived(1)
        customer = await scene.look.fetchval("SELECT id FROM customers")
        scene.wire.seconds = 2.0
        notice = (scene.company, customer, hello.channel, hello.chat, "Un momento")
        await scene.road.ledger.notice(*notice)
        scene.road.delivery.kick(scene.company)

        async def leaves() -> bool:
            return "sending" in await scene.rows("outbox")

        async def asked() -> bool:
            return len(echo.asked) == 2

        await scene.until(leaves)
        await scene.receive(message(scene.company, "dos", wa_id="2"))
        await scene.until(asked)

        assert scene.wire.texts() == ["oí: uno"]


class GivesUp(FakeWire):
    """Gives its first send up while that one still looks whether it may leave."""

    looking: asyncio.Future[None] | None = None

    async def send(self, outgoing: Outgoing) -> str:
        if self.looking is None and outgoing.again is not None:
            self.looking = asyncio.ensure_future(outgoing.again())
            raise NotSent("its turn did not come in time")
        return await super().send(outgoing)


async def test_a_look_that_ends_after_its_send_was_given_up_lets_nothing_leave(
    open_scene: OpenScene, store_urls: Urls
) -> None:
    company = await make_company(store_urls.postgres)
    wire = GivesUp(company)
    async with open_scene(handlers=[Echo()], company=company, wire=wire) as scene:
        await scene.receive(message(company, "hola"))

        async def looked() -> bool:
            return wire.looking is not None and wire.looking.done()

        await scene.until(looked)
        states = await scene.rows("outbox")
        scene.road.delivery.kick(company)
        await scene.arrived(1)
        await asyncio.sleep(0.3)

    assert wire.looking is not None
    assert wire.looking.exception() is not None
    assert states == ["ready"]
    assert len(wire.arrived) == 1


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_a_connection_lost_while_one_is_marked_and_the_next_looks_repeats_nothing(
    busy: Scene, lost: str
) -> None:
    both = "road_sent_and_sending"
    {"before": busy.database.lost_before, "after": busy.database.lost_after}[lost].append(both)

    async def all_sent() -> bool:
        busy.road.delivery.kick(busy.company)  # As the sweep does each second.
        return await busy.rows("outbox") == ["sent"] * len(CHATS)

    await busy.until(all_sent)

    assert both in busy.database.called
    assert sorted(one.chat for one in busy.wire.arrived) == CHATS


class Gated(FakeWire):
    """Lets nothing leave until it is opened."""

    def __init__(self, company_id: UUID) -> None:
        super().__init__(company_id)
        self.open, self.reached = asyncio.Event(), asyncio.Event()

    async def send(self, outgoing: Outgoing) -> str:
        self.reached.set()
        await self.open.wait()
        return await super().send(outgoing)


async def test_of_many_replies_a_few_are_held_and_the_others_leave_in_their_order(
    open_scene: OpenScene, store_urls: Urls
) -> None:
    company = await make_company(store_urls.postgres)
    wire, many = Gated(company), MOST_HELD + 10
    async with open_scene(handlers=[Echo()], company=company, wire=wire) as scene:
        for number in range(many):
            await answered(scene, number)
        scene.road.delivery.kick(company)
        await asyncio.sleep(0.1)
        held = len(wire.hashed)  # What is asked first for each.

        wire.open.set()
        await scene.arrived(MOST_HELD)
        await answered(scene, many)
        scene.road.delivery.kick(company)
        await scene.arrived(many + 1)

    assert held == MOST_HELD
    left = [one.chat for one in wire.arrived]
    assert sorted(left) == [chat_of(number) for number in range(many + 1)]
    # Only those that are made ready side by side may pass one another.
    assert all(left.index(chat_of(number)) > number - SIDE_BY_SIDE for number in range(many + 1))


async def test_wires_whose_sends_do_not_end_are_closed_in_the_time_of_one(
    open_scene: OpenScene, store_urls: Urls
) -> None:
    wires = [Gated(await make_company(store_urls.postgres)) for _ in range(3)]
    async with open_scene(handlers=[Echo()], attach=False) as scene:
        for wire in wires:
            fence = await scene.road.ledger.lease(wire.company_id, scene.road.host.id)
            await scene.road.delivery.attach(wire, fence or 0)
            await scene.receive(message(wire.company_id, "hola"))
        for wire in wires:
            await asyncio.wait_for(wire.reached.wait(), 20)

        began = time.monotonic()
        await scene.road.delivery.close()
        took = time.monotonic() - began
        for wire in wires:
            wire.open.set()

    assert took < 2 * CLOSE_SECONDS


def chat_of(number: int) -> str:
    return f"1305556{number:04d}@s.whatsapp.net"


async def answered(scene: Scene, number: int) -> None:
    """One more customer writes and has an answer, which may not have left."""
    chat = chat_of(number)
    await scene.receive(message(scene.company, "hola", chat=chat, phone=f"+{chat[:11]}"))

    async def so_many() -> bool:
        return len(await scene.rows("outbox")) == number + 1

    await scene.until(so_many)
