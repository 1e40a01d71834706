"""Debounce and slots, in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from bot.background import Background
from bot.lanes import Chat, Lanes, Slots

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio(loop_scope="function")]


@pytest_asyncio.fixture(loop_scope="function")
async def background() -> AsyncIterator[Background]:
    async with Background(drain_seconds=0) as owner:
        yield owner


@pytest.fixture
def chat() -> Chat:
    return uuid4(), uuid4()


class Rings:
    """Records when the lanes rang, and with which message."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, str]] = []

    async def ring(self, _: Chat, newest: str) -> None:
        self.heard.append((asyncio.get_running_loop().time(), newest))


async def test_a_burst_rings_once_after_the_customer_pauses(
    background: Background, chat: Chat
) -> None:
    rings = Rings()
    lanes = Lanes(rings.ring, background, quiet=2, longest=12)

    for number in range(3):
        lanes.wake(chat, f"m{number}")
        await asyncio.sleep(1)
    await asyncio.sleep(10)

    assert rings.heard == [(4.0, "m2")]


async def test_a_customer_who_never_pauses_is_answered_after_the_longest_wait(
    background: Background, chat: Chat
) -> None:
    rings = Rings()
    lanes = Lanes(rings.ring, background, quiet=2, longest=5)

    for number in range(10):
        lanes.wake(chat, f"m{number}")
        await asyncio.sleep(1)

    assert rings.heard[0] == (5.0, "m4")


async def test_a_complete_message_closes_the_window_earlier(
    background: Background, chat: Chat
) -> None:
    rings = Rings()
    lanes = Lanes(rings.ring, background, quiet=2, soon=1, longest=12)

    lanes.wake(chat, "hola")
    await asyncio.sleep(1.5)
    lanes.wake(chat, "question", complete=True)
    await asyncio.sleep(10)

    assert rings.heard == [(2.5, "question")]


async def test_what_follows_a_complete_message_is_waited_for_again(
    background: Background, chat: Chat
) -> None:
    rings = Rings()
    lanes = Lanes(rings.ring, background, quiet=2, soon=1, longest=12)

    lanes.wake(chat, "question", complete=True)
    await asyncio.sleep(0.5)
    lanes.wake(chat, "y")
    await asyncio.sleep(10)

    assert rings.heard == [(2.5, "y")]


async def test_a_window_shorter_than_a_complete_messages_stays_as_it_is(
    background: Background, chat: Chat
) -> None:
    rings = Rings()
    lanes = Lanes(rings.ring, background, quiet=0.5, soon=1, longest=12)

    lanes.wake(chat, "question", complete=True)
    await asyncio.sleep(10)

    assert rings.heard == [(0.5, "question")]


@pytest.mark.parametrize(
    ("then", "rung"),
    [("nothing", 4.5), ("it left", 2.5), ("it took too long", 14.5)],
)
async def test_who_writes_on_while_the_answer_is_made_is_given_longer(
    background: Background, chat: Chat, then: str, rung: float
) -> None:
    rings = Rings()
    lanes = Lanes(rings.ring, background, quiet=2, soon=1, longest=12)

    lanes.wake(chat, "question", complete=True)
    await asyncio.sleep(13.5 if then == "it took too long" else 1.5)
    if then == "it left":
        lanes.answered(chat)
    lanes.wake(chat, "another", complete=True)
    await asyncio.sleep(10)

    assert rings.heard == [(1.0, "question"), (rung, "another")]


async def test_a_typing_customer_is_waited_for_but_not_for_ever(background: Background) -> None:
    rings, typing = Rings(), {"slow@s", "endless@s"}
    lanes = Lanes(
        rings.ring, background, quiet=2, longest=5, typing=lambda _, place: place in typing
    )

    lanes.wake((uuid4(), uuid4()), "a", place="slow@s")
    lanes.wake((uuid4(), uuid4()), "b", place="endless@s")
    lanes.wake((uuid4(), uuid4()), "c", place="quick@s")
    await asyncio.sleep(2.9)
    typing.remove("slow@s")
    await asyncio.sleep(10)

    assert rings.heard == [(2.0, "c"), (3.0, "a"), (5.0, "b")]


async def test_lanes_forget_chats_that_nobody_answers(background: Background) -> None:
    lanes = Lanes(Rings().ring, background, quiet=2, longest=12)

    for number in range(100):
        lanes.wake((uuid4(), uuid4()), f"m{number}")
        await asyncio.sleep(1)

    assert len(lanes._making) < 15


async def test_chats_wait_apart_from_each_other(background: Background) -> None:
    rings = Rings()
    lanes = Lanes(rings.ring, background, quiet=2, longest=12)

    lanes.wake((uuid4(), uuid4()), "a")
    await asyncio.sleep(1)
    lanes.wake((uuid4(), uuid4()), "b")
    await asyncio.sleep(5)

    assert rings.heard == [(2.0, "a"), (3.0, "b")]


async def test_ringing_at_once_leaves_a_waiting_lane_alone(
    background: Background, chat: Chat
) -> None:
    rings = Rings()
    lanes = Lanes(rings.ring, background, quiet=2, longest=12)

    lanes.wake(chat, "m1")
    lanes.ring_now(chat, "old")
    lanes.ring_now((uuid4(), uuid4()), "other")
    await asyncio.sleep(5)

    assert rings.heard == [(0.0, "other"), (2.0, "m1")]


async def test_a_closed_lane_never_rings(background: Background, chat: Chat) -> None:
    rings = Rings()
    lanes = Lanes(rings.ring, background, quiet=2, longest=12)

    lanes.wake(chat, "m1")
    lanes.close()
    await asyncio.sleep(20)

    assert rings.heard == []


class Desk:
    """Turns that take ten seconds; records how many ran at once, and in which order."""

    def __init__(self) -> None:
        self.order: list[Chat] = []
        self.now: dict[UUID, int] = {}
        self.most: dict[UUID, int] = {}
        self.most_at_once = 0

    async def work(self, chat: Chat) -> None:
        company = chat[0]
        self.order.append(chat)
        self.now[company] = self.now.get(company, 0) + 1
        self.most[company] = max(self.most.get(company, 0), self.now[company])
        self.most_at_once = max(self.most_at_once, sum(self.now.values()))
        await asyncio.sleep(10)
        self.now[company] -= 1


async def test_one_company_never_has_more_turns_than_its_share(background: Background) -> None:
    desk, company = Desk(), uuid4()
    slots = Slots(desk.work, background, per_company=4, per_host=64)

    for _ in range(20):
        slots.submit((company, uuid4()))
    await asyncio.sleep(100)

    assert desk.most == {company: 4}
    assert len(desk.order) == 20


async def test_the_host_never_runs_more_turns_than_its_bound(background: Background) -> None:
    desk = Desk()
    slots = Slots(desk.work, background, per_company=4, per_host=6)

    for _ in range(20):
        slots.submit((uuid4(), uuid4()))
    await asyncio.sleep(100)

    assert desk.most_at_once == 6


async def test_a_flooding_company_does_not_hold_back_another(background: Background) -> None:
    desk, flood, quiet = Desk(), uuid4(), uuid4()
    slots = Slots(desk.work, background, per_company=2, per_host=2)

    for _ in range(50):
        slots.submit((flood, uuid4()))
    slots.submit((quiet, uuid4()))
    await asyncio.sleep(11)

    assert quiet in [company for company, _ in desk.order[:4]]


async def test_there_is_room_until_the_host_is_full_or_somebody_waits(
    background: Background,
) -> None:
    desk, company = Desk(), uuid4()
    slots = Slots(desk.work, background, per_company=1, per_host=2)
    rooms = [slots.free]

    for chat in ((uuid4(), uuid4()), (company, uuid4()), (company, uuid4())):
        slots.submit(chat)
        rooms.append(slots.free)

    assert rooms == [True, True, False, False]


async def test_a_chat_never_has_two_turns_at_once_and_is_not_forgotten(
    background: Background, chat: Chat
) -> None:
    desk = Desk()
    slots = Slots(desk.work, background, per_company=4, per_host=4)

    slots.submit(chat)
    await asyncio.sleep(1)
    slots.submit(chat)
    slots.submit(chat)
    assert slots.running == [chat]
    await asyncio.sleep(30)

    assert desk.order == [chat, chat]
    assert desk.most_at_once == 1


async def test_closed_slots_finish_what_runs_and_begin_nothing(chat: Chat) -> None:
    desk = Desk()
    async with Background(drain_seconds=60) as background:
        slots = Slots(desk.work, background, per_company=1, per_host=1)

        slots.submit(chat)
        slots.submit((chat[0], uuid4()))
        slots.close()
        slots.submit((uuid4(), uuid4()))

    assert desk.order == [chat]
    assert desk.now == {chat[0]: 0}
