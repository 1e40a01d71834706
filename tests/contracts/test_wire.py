"""What every wire promises, on the fake, on a session without WhatsApp, and on the real client."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from uuid import UUID, uuid4

import pytest

from bot.whatsapp.arrivals import Arrivals
from bot.whatsapp.events import Horizon, MessageReader
from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.journal import Journal
from bot.whatsapp.library import Protos, read_protos
from bot.whatsapp.phone import Phone
from bot.whatsapp.session import Session
from bot.whatsapp.session_parts import Parts
from bot.whatsapp.settlement import SessionBooks
from bot.whatsapp.states import Reason
from bot.whatsapp.transitions import Transitions
from bot.wire import NotSent, Outgoing, OwnerHand, TakenOver, Unconfirmed, Unsettled, Wire
from models.errors import LyroxError, RetryLater
from models.values import InboundMessage
from tests.fakes.connection import FakeConnection, SessionFile
from tests.fakes.wire import FakeWire

CHAT = "999888777666555@lid"
COMPANY = UUID("5d0c8b2e-0b0a-4d4f-9a52-0a6f6f3f2a11")


class World(Protocol):
    """A wire and the world around it."""

    @property
    def wire(self) -> Wire: ...

    def texts(self) -> list[str]:
        """What the customer can read."""

    def go_offline(self) -> None:
        """The connection is lost."""

    def take_long_over_one(self) -> None:
        """Each send takes a while, and the next ones wait for it."""

    def fail_next(self, error: LyroxError, *, arrives: bool) -> None:
        """The next send raises this."""

    def take_long(self) -> None:
        """A send reaches the client only after a fifth of a second."""

    async def owner_types(self) -> None:
        """The owner writes in the chat and intake has not stored it yet."""

    async def owner_stored(self) -> None:
        """Intake has stored it."""


@dataclass
class FakeWorld:
    """The fake is its own world."""

    wire: FakeWire

    def texts(self) -> list[str]:
        return self.wire.texts()

    def go_offline(self) -> None:
        self.wire.connected = False

    def fail_next(self, error: LyroxError, *, arrives: bool) -> None:
        self.wire.arrives_anyway = arrives
        self.wire.failures.append(error)

    def take_long(self) -> None:
        self.wire.queued = 0.2

    def take_long_over_one(self) -> None:
        self.wire.seconds = 0.2

    async def owner_types(self) -> None:
        self.wire.owner_types(CHAT)

    async def owner_stored(self) -> None:
        self.wire.owner_stored(CHAT)


@dataclass
class SessionWorld:
    """A real session whose connection is scripted."""

    wire: Session
    connection: FakeConnection
    stored: asyncio.Event
    protos: Protos

    def texts(self) -> list[str]:
        return [text for _, text in self.connection.sent]

    def go_offline(self) -> None:
        self.connection.observer.on_event(12, b"")

    def fail_next(self, error: LyroxError, *, arrives: bool) -> None:
        self.connection.arrives_anyway = arrives
        self.connection.failures.append(error)

    def take_long(self) -> None:
        self.connection.queued = 0.2

    def take_long_over_one(self) -> None:
        self.connection.slow = 0.2

    async def owner_types(self) -> None:
        await asyncio.to_thread(self.connection.observer.on_event, 17, self._owner_event())

    async def owner_stored(self) -> None:
        self.stored.set()

    def _owner_event(self) -> bytes:
        event = self.protos.events.Message()
        event.Message.conversation = "yo sigo"
        event.Info.ID, event.Info.Timestamp = uuid4().hex, 1_790_000_000_000
        source = event.Info.MessageSource
        source.IsFromMe, source.IsGroup = True, False
        source.Chat.User, source.Chat.Server = CHAT.split("@")
        source.Sender.User, source.Sender.Server = "5215512345678", "s.whatsapp.net"
        source.RecipientAlt.IsEmpty = True
        return bytes(event.SerializePartialToString())


@contextlib.asynccontextmanager
async def fake_world(_: Path) -> AsyncIterator[World]:
    yield FakeWorld(FakeWire(COMPANY))


@contextlib.asynccontextmanager
async def session_world(folder: Path) -> AsyncIterator[World]:
    files = CompanyFiles(folder, COMPANY)
    files.prepare()
    files.write_boot()
    SessionFile(files.session).pair()
    stored, online = asyncio.Event(), asyncio.Event()
    protos, books = read_protos(), SessionBooks()

    async def accept(_: InboundMessage) -> None:
        await stored.wait()

    def now() -> datetime:
        return datetime.fromtimestamp(1_790_000_000, UTC)

    reader = MessageReader(COMPANY, protos, Horizon(None, timedelta(hours=12)))
    journal = Journal(files.journal)
    arrivals = Arrivals(journal, reader, accept=accept, now=now, patience=lambda _: 0.01)
    made: list[FakeConnection] = []

    def connect(observer: Session) -> FakeConnection:
        made.append(FakeConnection(observer, files.session))
        return made[-1]

    parts = Parts(
        files=files,
        arrivals=arrivals,
        transitions=Transitions(protos, last_connected=None),
        books=books,
        connection=connect,  # type: ignore[arg-type]  # The only observer is the session itself.
        on_state=lambda _, state: online.set() if state.reason is Reason.ONLINE else None,
        now=now,
        phone=Phone(files, protos, now=now),
        on_phone=lambda _: None,
    )
    session = Session(COMPANY, parts)
    tasks = [asyncio.ensure_future(session.live()), asyncio.ensure_future(arrivals.hand_over())]
    await online.wait()
    yield SessionWorld(session, made[0], stored, protos)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await books.close()
    journal.close()


OpenWorld = Callable[[Path], AbstractAsyncContextManager[World]]


@pytest.fixture(params=[fake_world, session_world], ids=["fake", "session"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    make: OpenWorld = request.param
    async with make(tmp_path) as world:
        yield world


def bubble(text: str = "hola") -> Outgoing:
    return Outgoing(CHAT, text, os.urandom(32))


def unsettled(sent: Outgoing, number: int = 1, sessions_hash: str | None = None) -> Unsettled:
    return Unsettled(number, sent.chat, sent.secret, sessions_hash)


async def test_what_is_sent_arrives_in_order_each_with_an_id_of_its_own(world: World) -> None:
    ids = [await world.wire.send(bubble(text)) for text in ("uno", "dos")]

    assert world.texts() == ["uno", "dos"]
    assert len(set(ids)) == 2
    assert all(ids)


async def test_a_lost_connection_sends_nothing_and_says_so(world: World) -> None:
    world.go_offline()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert not world.wire.connected
    with pytest.raises(NotSent):
        await world.wire.send(bubble())
    assert world.texts() == []


async def test_typing_never_raises(world: World) -> None:
    await world.wire.typing(CHAT, True)
    world.fail_next(NotSent("no"), arrives=False)
    await world.wire.typing(CHAT, False)
    world.go_offline()

    await world.wire.typing(CHAT, True)


async def test_a_text_whose_end_nobody_saw_is_settled_as_sent_with_its_id(world: World) -> None:
    sent = bubble()
    before = await world.wire.sessions_hash(CHAT)
    world.fail_next(Unconfirmed("timed out"), arrives=True)
    with pytest.raises(Unconfirmed):
        await world.wire.send(sent)

    (verdict,) = await world.wire.settle([unsettled(sent, 7, before)])

    assert (verdict.outbox_id, verdict.sent) == (7, True)
    assert verdict.wa_id


async def test_a_text_that_never_left_is_settled_as_not_sent(world: World) -> None:
    sent = bubble()
    before = await world.wire.sessions_hash(CHAT)
    world.fail_next(Unconfirmed("timed out"), arrives=False)
    with pytest.raises(Unconfirmed):
        await world.wire.send(sent)

    (verdict,) = await world.wire.settle([unsettled(sent, 7, before)])

    assert (verdict.outbox_id, verdict.sent, verdict.wa_id) == (7, False, None)


async def test_each_question_has_one_answer_in_its_order(world: World) -> None:
    gone, lost = bubble(), bubble()
    wa_id = await world.wire.send(gone)

    verdicts = await world.wire.settle([unsettled(lost, 1), unsettled(gone, 2)])

    assert [(one.outbox_id, one.sent) for one in verdicts] == [(1, False), (2, True)]
    assert verdicts[1].wa_id == wa_id
    assert await world.wire.settle([]) == []


async def test_a_send_changes_the_hash_of_its_chat_only(world: World) -> None:
    before = [await world.wire.sessions_hash(chat) for chat in (CHAT, "444@lid")]
    await world.wire.send(bubble())
    after = [await world.wire.sessions_hash(chat) for chat in (CHAT, "444@lid")]

    assert before[0] != after[0]
    assert before[1] == after[1]


async def test_the_owners_hand_is_known_at_once_and_pending_until_stored(world: World) -> None:
    assert world.wire.owner_hand(CHAT).count == 0

    await world.owner_types()
    seen = world.wire.owner_hand(CHAT)
    await world.owner_stored()
    await asyncio.sleep(0.05)
    later = world.wire.owner_hand(CHAT)

    assert (seen.count, seen.pending) == (1, True)
    assert (later.count, later.pending) == (1, False)
    assert world.wire.owner_hand("444@lid").count == 0


async def test_a_text_on_its_way_to_the_client_stays_when_the_owner_writes(world: World) -> None:
    world.take_long()
    sent = Outgoing(CHAT, "hola", os.urandom(32), world.wire.owner_hand(CHAT))
    sending = asyncio.ensure_future(world.wire.send(sent))
    await asyncio.sleep(0.05)
    await world.owner_types()

    with pytest.raises(TakenOver):
        await sending
    assert world.texts() == []


@pytest.mark.parametrize("leaves", [True, False])
async def test_a_text_whose_turn_comes_late_is_looked_at_again_and_may_stay(
    world: World, leaves: bool
) -> None:
    looked = []

    async def again() -> None:
        looked.append(world.texts())
        if not leaves:
            raise RetryLater("not any more")

    late = Outgoing(CHAT, "dos", os.urandom(32), until=time.monotonic() + 0.05, again=again)
    world.take_long_over_one()
    sends = [asyncio.ensure_future(world.wire.send(one)) for one in (bubble("uno"), late)]
    done = await asyncio.gather(*sends, return_exceptions=True)

    assert looked == [["uno"]]
    assert world.texts() == (["uno", "dos"] if leaves else ["uno"])
    assert isinstance(done[1], RetryLater) is not leaves


async def test_a_text_whose_turn_comes_in_time_is_not_looked_at_again(world: World) -> None:
    async def again() -> None:
        raise RetryLater("looked at again")

    until = time.monotonic() + 60
    await world.wire.send(Outgoing(CHAT, "uno", os.urandom(32), until=until, again=again))

    assert world.texts() == ["uno"]


async def test_a_text_goes_where_the_owner_was_before_the_look_and_not_after(world: World) -> None:
    await world.owner_types()
    await world.owner_stored()
    await asyncio.sleep(0.05)
    await world.wire.send(Outgoing(CHAT, "uno", os.urandom(32), world.wire.owner_hand(CHAT)))
    with pytest.raises(TakenOver):
        await world.wire.send(Outgoing(CHAT, "dos", os.urandom(32), OwnerHand()))

    assert world.texts() == ["uno"]


async def test_after_a_power_loss_a_send_without_a_trace_counts_as_sent(tmp_path: Path) -> None:
    async with session_world(tmp_path) as world:
        CompanyFiles(tmp_path, COMPANY).boot.write_text("a former run of the machine")

        (verdict,) = await world.wire.settle([unsettled(bubble(), 7)])

        assert (verdict.outbox_id, verdict.sent, verdict.wa_id) == (7, True, None)


def test_a_boot_is_noted_once_and_known_again(tmp_path: Path) -> None:
    files = CompanyFiles(tmp_path, COMPANY)
    files.prepare()

    before = files.same_boot()
    files.write_boot()

    assert (before, files.same_boot()) == (False, True)
