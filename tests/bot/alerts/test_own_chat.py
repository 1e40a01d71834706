"""The owner's own chat: by the wire that is there, past everything that is a customer's."""

from uuid import uuid4

import pytest

from bot.alerts.carriers import NotDelivered
from bot.alerts.own_chat import OwnChats
from bot.wire import NotSent, Unconfirmed, Wire
from models.alerts import Outlet
from models.errors import GiveUp, LyroxError
from tests.bot.alerts.making import COMPANY, parcel
from tests.fakes.wire import FakeWire

CHAT = "584125550100@s.whatsapp.net"
LETTER = parcel(Outlet.WHATSAPP, CHAT)


class Recorder:
    """A delivery that only remembers."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def attach(self, wire: Wire, fence: int) -> None:
        self.seen.append(f"attach {wire.company_id} {fence}")

    async def detach(self, company_id: object) -> None:
        self.seen.append(f"detach {company_id}")


@pytest.fixture
def wire() -> FakeWire:
    return FakeWire(COMPANY)


@pytest.fixture
async def chats(wire: FakeWire) -> OwnChats:
    """With the company's session here."""
    chats = OwnChats()
    await chats.before(Recorder()).attach(wire, 3)
    return chats


async def test_an_alert_is_one_message_in_the_own_chat(chats: OwnChats, wire: FakeWire) -> None:
    assert chats.ready(COMPANY)

    assert await chats.carry(LETTER) == "sent"

    [arrived] = wire.arrived
    assert arrived.chat == CHAT
    assert arrived.text.splitlines()[:2] == [
        "*LYROX · Peña & Cía*",
        "El teléfono cerró la sesión.",
    ]
    assert len(arrived.secret) == 32


async def test_without_a_session_here_nothing_is_tried(wire: FakeWire, chats: OwnChats) -> None:
    other = uuid4()
    assert not chats.ready(other)
    with pytest.raises(NotDelivered, match="not connected here"):
        await chats.carry(parcel(Outlet.WHATSAPP, CHAT, company_id=other))

    wire.connected = False
    assert not chats.ready(COMPANY)


async def test_whoever_is_told_of_wires_is_told_as_before(wire: FakeWire) -> None:
    chats, recorder = OwnChats(), Recorder()
    heard = chats.before(recorder)

    await heard.attach(wire, 3)
    await heard.detach(COMPANY)

    assert recorder.seen == [f"attach {COMPANY} 3", f"detach {COMPANY}"]
    assert not chats.ready(COMPANY)


@pytest.mark.parametrize("error", [NotSent("not connected"), GiveUp("error 463")])
async def test_what_never_left_may_be_tried_again(
    chats: OwnChats, wire: FakeWire, error: LyroxError
) -> None:
    wire.failures.append(error)

    with pytest.raises(NotDelivered, match=str(error)):
        await chats.carry(LETTER)
    assert await chats.carry(LETTER) == "sent"


async def test_what_may_have_arrived_is_not_said_twice(chats: OwnChats, wire: FakeWire) -> None:
    wire.failures.append(Unconfirmed("no answer"))

    assert "without WhatsApp's word" in await chats.carry(LETTER)
