"""What a customer sees of an answer in the making; time is virtual."""

import asyncio
from uuid import uuid4

import pytest

from bot.background import Background
from bot.presence import AGAIN_SECONDS, FIRST_SECONDS, LONGEST_SECONDS, TICK_SECONDS, Presence
from bot.wire import OwnerHand
from models.manner import Manner
from tests.fakes.wire import FakeWire

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio(loop_scope="function")]

CHAT = "13055550100@s.whatsapp.net"
BOTH = Manner(mark_read=True, typing=True)


async def test_messages_are_marked_at_once_and_typing_is_shown_a_moment_later() -> None:
    wire = FakeWire(uuid4())
    async with Background(drain_seconds=1) as background:
        presence = Presence(wire, background)
        presence.attend(CHAT, ["1", "2"], BOTH)
        await asyncio.sleep(0.01)
        before = (list(wire.read), list(wire.typed))
        await asyncio.sleep(FIRST_SECONDS + TICK_SECONDS)
        presence.close()

    assert before == ([(CHAT, ["1", "2"])], [])
    assert wire.typed == [CHAT]


async def test_an_answer_that_is_there_at_once_shows_no_typing() -> None:
    wire = FakeWire(uuid4())
    async with Background(drain_seconds=1) as background:
        presence = Presence(wire, background)
        presence.attend(CHAT, ["1"], BOTH)
        await asyncio.sleep(FIRST_SECONDS / 2)
        presence.arrived(CHAT)
        await asyncio.sleep(60)

    assert wire.typed == wire.hidden == []


async def test_before_typing_shows_nothing_is_looked_at_again_and_again() -> None:
    class Counting(FakeWire):
        looks = 0

        def owner_hand(self, chat: str) -> OwnerHand:
            self.looks += 1
            return super().owner_hand(chat)

    wire = Counting(uuid4())
    async with Background(drain_seconds=1) as background:
        presence = Presence(wire, background)
        presence.attend(CHAT, ["1"], BOTH)
        await asyncio.sleep(FIRST_SECONDS - 0.01)
        looks = wire.looks
        presence.close()

    assert looks == 1


async def test_typing_is_shown_again_before_it_fades_and_not_for_ever() -> None:
    wire = FakeWire(uuid4())
    async with Background(drain_seconds=1) as background:
        presence = Presence(wire, background)
        presence.attend(CHAT, ["1"], BOTH)
        await asyncio.sleep(FIRST_SECONDS + TICK_SECONDS + 3 * (AGAIN_SECONDS + TICK_SECONDS))
        three_later = len(wire.typed)
        await asyncio.sleep(2 * LONGEST_SECONDS)
        most = len(wire.typed)
        await asyncio.sleep(LONGEST_SECONDS)

    assert three_later == 4
    assert len(wire.typed) == most <= LONGEST_SECONDS / AGAIN_SECONDS + 1
    assert wire.hidden == [CHAT]


async def test_the_owners_hand_hides_typing_within_a_third_of_a_second() -> None:
    wire = FakeWire(uuid4())
    async with Background(drain_seconds=1) as background:
        presence = Presence(wire, background)
        presence.attend(CHAT, ["1"], BOTH)
        await asyncio.sleep(2)
        wire.owner_types(CHAT)
        await asyncio.sleep(0.25)
        hidden = list(wire.hidden)
        presence.attend(CHAT, [], BOTH)  # The pause is not stored yet.
        await asyncio.sleep(60)

    assert hidden == [CHAT]
    assert wire.typed == [CHAT]


async def test_a_long_bubble_is_written_under_typing_all_the_time() -> None:
    wire = FakeWire(uuid4())
    async with Background(drain_seconds=1) as background:
        presence = Presence(wire, background)
        await presence.write(CHAT, 2 * AGAIN_SECONDS + 1, typing=True)
        presence.arrived(CHAT)

    assert len(wire.typed) == 3
    assert wire.hidden == []


async def test_each_sign_can_be_switched_off() -> None:
    wire = FakeWire(uuid4())
    async with Background(drain_seconds=1) as background:
        presence = Presence(wire, background)
        presence.attend(CHAT, ["1"], Manner(mark_read=False, typing=False))
        await presence.write(CHAT, 5, typing=False)

    assert wire.read == []
    assert wire.typed == []


async def test_typing_that_is_shown_is_hidden_also_when_a_turn_has_begun_again_meanwhile() -> None:
    wire = FakeWire(uuid4())
    async with Background(drain_seconds=1) as background:
        presence = Presence(wire, background)
        presence.attend(CHAT, ["1"], BOTH)
        await asyncio.sleep(FIRST_SECONDS + TICK_SECONDS)
        presence.attend(CHAT, ["1", "2"], BOTH)
        presence.hide(CHAT)
        await asyncio.sleep(TICK_SECONDS)

    assert (wire.typed, wire.hidden) == ([CHAT], [CHAT])
