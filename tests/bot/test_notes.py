"""A turn in one process, shown to the customer by another."""

import asyncio
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

import pytest

from bot.background import Background
from bot.lanes import Chat
from bot.notes import Attention, Notes
from bot.presence import FIRST_SECONDS, TICK_SECONDS, Presence
from models.manner import Manner
from models.values import Channel, Turn
from tests.fakes.wire import FakeWire
from tests.handlers.making import turn

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio(loop_scope="function")]


@dataclass
class Process:
    """A process that has the session, or not."""

    shown: Presence | None = None
    told: list[bytes] = field(default_factory=list)
    rung: list[tuple[Chat, str]] = field(default_factory=list)

    def presence(self, _company: UUID, channel: Channel) -> Presence | None:
        return self.shown if channel is Channel.WHATSAPP else None

    async def publish(self, _company: UUID, note: bytes) -> None:
        self.told.append(note)

    def ring(self, chat: Chat, newest: str) -> None:
        self.rung.append((chat, newest))


def a_turn(**manner: bool) -> Turn:
    said = Manner(mark_read=True, typing=True)
    return replace(turn("hola"), channel=Channel.WHATSAPP, manner=Manner(**manner).over(said))


async def carried(*, typing: bool = True) -> FakeWire:
    """A turn begins here, and is heard where the session is."""
    wire, here = FakeWire(uuid4()), Process()
    async with Background(drain_seconds=1) as background:
        there = Process(Presence(wire, background))
        attention = Attention(here, here.publish, background, here.ring)
        asked = a_turn(typing=typing)
        attention.begin(asked)
        await background.drain()
        Notes(there, there.ring).hear(wire.company_id, here.told[0])
        await asyncio.sleep(FIRST_SECONDS + 2 * TICK_SECONDS)
        attention.end(asked)
        await asyncio.sleep(0.01)
        Notes(there, there.ring).hear(wire.company_id, here.told[1])
        await asyncio.sleep(1)
    return wire


async def test_it_is_marked_typed_and_taken_away_there() -> None:
    wire = await carried()

    asked = a_turn()
    assert wire.read == [(asked.chat, [asked.messages[0].id])]
    assert wire.typed == wire.hidden == [asked.chat]


async def test_the_companys_manner_travels_with_it() -> None:
    wire = await carried(typing=False)

    assert len(wire.read) == 1
    assert wire.typed == []


async def test_a_process_with_the_session_tells_nobody_else() -> None:
    wire = FakeWire(uuid4())
    async with Background(drain_seconds=1) as background:
        here = Process(Presence(wire, background))
        Attention(here, here.publish, background, here.ring).begin(a_turn())
        await asyncio.sleep(0.1)

    assert here.told == []
    assert len(wire.read) == 1


@pytest.mark.parametrize(
    "note", [b"{", b"[]", b"{}", b'{"chat": "a", "read": 3}', b'{"again": 3}', b"\xff"]
)
async def test_what_is_no_note_harms_nobody(note: bytes) -> None:
    wire = FakeWire(uuid4())
    async with Background(drain_seconds=1) as background:
        there = Process(Presence(wire, background))
        Notes(there, there.ring).hear(wire.company_id, note)

    assert there.rung == []
    assert wire.read == []
    assert wire.typed == []


async def test_a_turn_that_must_begin_again_is_rung_for_where_the_session_is() -> None:
    wire, here, asked = FakeWire(uuid4()), Process(), a_turn()
    async with Background(drain_seconds=1) as background:
        there = Process(Presence(wire, background))
        Attention(here, here.publish, background, here.ring).again(asked)
        await background.drain()
        Notes(there, there.ring).hear(asked.company.id, here.told[0])

    assert here.rung == []
    assert there.rung == [((asked.company.id, asked.customer.id), asked.messages[-1].id)]


@pytest.mark.parametrize("channel", Channel)
async def test_a_process_that_takes_the_customers_messages_in_rings_itself(
    channel: Channel,
) -> None:
    wire, asked = FakeWire(uuid4()), replace(a_turn(), channel=channel)
    async with Background(drain_seconds=1) as background:
        here = Process(Presence(wire, background))
        Attention(here, here.publish, background, here.ring).again(asked)

    assert (here.told, len(here.rung)) == ([], 1)
