import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from bot.whatsapp.arrivals import Arrivals
from bot.whatsapp.callbacks import Observer
from bot.whatsapp.events import Horizon, MessageReader
from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.journal import Journal
from bot.whatsapp.library import Protos
from bot.whatsapp.phone import Phone
from bot.whatsapp.session import Session
from bot.whatsapp.session_parts import Parts
from bot.whatsapp.settlement import SessionBooks
from bot.whatsapp.states import Reason
from bot.whatsapp.transitions import Transitions
from bot.wire import NotSent, Outgoing, Unsettled
from models.values import InboundMessage
from tests.bot.whatsapp.conftest import COMPANY
from tests.fakes.connection import FakeConnection

NOW = datetime.fromtimestamp(1_790_000_000, UTC)


class Stage:
    """A session whose connections a test drives, and the states it went through."""

    def __init__(self, folder: Path, protos: Protos, *, connects: bool = True) -> None:
        self.reasons: list[Reason] = []
        self.connections: list[FakeConnection] = []
        self._connects = connects
        self.files = files = CompanyFiles(folder, COMPANY)
        self.now = NOW
        self.told: list[UUID] = []
        files.prepare()
        reader = MessageReader(COMPANY, protos, Horizon(None, timedelta(hours=12)))
        arrivals = Arrivals(
            Journal(files.journal),
            reader,
            accept=self._accept,
            now=lambda: NOW,
            patience=lambda _: 0.01,
        )
        self.session = Session(
            COMPANY,
            Parts(
                files=files,
                arrivals=arrivals,
                transitions=Transitions(protos, last_connected=None),
                books=SessionBooks(),
                connection=self._connect,
                on_state=lambda _, state: self.reasons.append(state.reason),
                now=lambda: self.now,
                phone=Phone(files, protos, now=lambda: self.now),
                on_phone=self.told.append,
            ),
        )

    async def _accept(self, message: InboundMessage) -> None:
        raise AssertionError(message)

    def _connect(self, observer: Observer) -> FakeConnection:
        session = self.files.session
        self.connections.append(FakeConnection(observer, session, connects=self._connects))
        return self.connections[-1]


@pytest.mark.looptime
@pytest.mark.asyncio(loop_scope="function")
async def test_no_connection_within_a_minute_is_a_fault(tmp_path: Path, protos: Protos) -> None:
    stage = Stage(tmp_path, protos, connects=False)

    began = asyncio.get_running_loop().time()

    state = await stage.session.live()

    assert state.reason is Reason.FAULT
    assert 59 < asyncio.get_running_loop().time() - began < 61
    assert stage.connections[0].stopped.is_set()


async def test_a_drop_is_waited_out_and_a_replacement_is_not(
    tmp_path: Path, protos: Protos
) -> None:
    stage = Stage(tmp_path, protos)
    living = asyncio.ensure_future(stage.session.live())
    await asyncio.sleep(0.01)
    observer = stage.connections[0].observer

    for code in (12, 3, 3, 12, 3):
        observer.on_event(code, b"")
    await asyncio.sleep(0.01)
    assert not living.done()
    observer.on_event(7, b"")

    assert (await living).reason is Reason.REPLACED
    assert stage.reasons == [
        Reason.CONNECTING,
        Reason.ONLINE,
        Reason.RECONNECTING,
        Reason.ONLINE,
        Reason.RECONNECTING,
        Reason.ONLINE,
        Reason.REPLACED,
    ]


async def test_late_events_do_not_paint_over_why_it_ended(tmp_path: Path, protos: Protos) -> None:
    stage = Stage(tmp_path, protos)
    living = asyncio.ensure_future(stage.session.live())
    await asyncio.sleep(0.01)
    observer = stage.connections[0].observer

    observer.on_event(10, b"")
    observer.on_event(12, b"")
    observer.on_end("closed")
    await living
    await asyncio.sleep(0.01)

    assert stage.session.state.reason is Reason.OUTDATED


async def test_nothing_is_sent_before_the_connection_stands(tmp_path: Path, protos: Protos) -> None:
    stage = Stage(tmp_path, protos, connects=False)
    living = asyncio.ensure_future(stage.session.live())
    await asyncio.sleep(0.01)

    with pytest.raises(NotSent):
        await stage.session.send(Outgoing("5@lid", "hola", b"x" * 32))

    living.cancel()
    await asyncio.gather(living, return_exceptions=True)
    assert stage.connections[0].stopped.is_set()


async def test_nothing_is_sent_before_the_offline_queue_is_read(
    tmp_path: Path, protos: Protos
) -> None:
    stage = Stage(tmp_path, protos, connects=False)
    living = asyncio.ensure_future(stage.session.live())
    await asyncio.sleep(0.01)
    observer = stage.connections[0].observer

    observer.on_event(3, b"")
    await asyncio.sleep(0.01)
    assert stage.session.state.reason is Reason.ONLINE
    assert not stage.session.connected
    with pytest.raises(NotSent):
        await stage.session.send(Outgoing("5@lid", "hola", b"x" * 32))
    observer.on_event(27, b"")
    await asyncio.sleep(0.01)
    assert stage.session.connected

    living.cancel()
    await asyncio.gather(living, return_exceptions=True)


async def test_a_code_instead_of_a_login_means_the_pairing_is_gone(
    tmp_path: Path, protos: Protos
) -> None:
    stage = Stage(tmp_path, protos, connects=False)
    living = asyncio.ensure_future(stage.session.live())
    await asyncio.sleep(0.01)

    stage.connections[0].observer.on_code("https://wa.me/…")

    assert (await living).reason is Reason.LOGGED_OUT


@pytest.mark.looptime
@pytest.mark.asyncio(loop_scope="function")
async def test_a_line_the_client_cannot_bring_back_is_given_up_after_five_minutes(
    tmp_path: Path, protos: Protos
) -> None:
    stage = Stage(tmp_path, protos)
    living = asyncio.ensure_future(stage.session.live())
    await asyncio.sleep(1000)  # A line that stands is never given up.
    loop = asyncio.get_running_loop()
    observer = stage.connections[0].observer

    observer.on_event(12, b"")
    await asyncio.sleep(290)
    observer.on_event(3, b"")
    await asyncio.sleep(1000)
    assert not living.done()
    observer.on_event(12, b"")
    began = loop.time()
    state = await living

    assert state.reason is Reason.FAULT
    assert "300 s" in state.detail
    assert 299 < loop.time() - began < 301
    assert stage.connections[0].stopped.is_set()


async def test_two_missed_pings_are_an_outage_and_answered_ones_its_end(
    tmp_path: Path, protos: Protos
) -> None:
    stage = Stage(tmp_path, protos)
    living = asyncio.ensure_future(stage.session.live())
    await asyncio.sleep(0.01)
    observer = stage.connections[0].observer

    for missed in (1, 2, 3):
        event = protos.events.KeepAliveTimeout(ErrorCount=missed, LastSuccess=0)
        observer.on_event(4, event.SerializeToString())
    observer.on_event(5, b"")
    await asyncio.sleep(0.01)
    living.cancel()
    await asyncio.gather(living, return_exceptions=True)

    assert stage.reasons == [
        Reason.CONNECTING,
        Reason.ONLINE,
        Reason.RECONNECTING,
        Reason.ONLINE,
    ]


async def test_in_a_damaged_file_every_unseen_send_counts_as_sent(
    tmp_path: Path, protos: Protos
) -> None:
    stage = Stage(tmp_path, protos)
    stage.files.write_boot()
    stage.files.session.write_bytes(b"no database " * 100)

    assert await stage.session.sessions_hash("5@lid") is None
    (verdict,) = await stage.session.settle([Unsettled(7, "5@lid", b"x" * 32, None)])

    assert (verdict.outbox_id, verdict.sent) == (7, True)


async def test_a_line_that_takes_no_typing_holds_few_threads(
    tmp_path: Path, protos: Protos
) -> None:
    stage = Stage(tmp_path, protos)
    living = asyncio.ensure_future(stage.session.live())
    await asyncio.sleep(0.01)
    connection = stage.connections[0]
    connection.typing_stuck = asyncio.Event()

    typing = [asyncio.ensure_future(stage.session.typing(f"{i}@lid", on=True)) for i in range(20)]
    await asyncio.sleep(0.01)
    asked = connection.typing_asked
    connection.typing_stuck.set()
    await asyncio.gather(*typing)
    living.cancel()
    await asyncio.gather(living, return_exceptions=True)

    assert asked == 4


async def test_a_text_that_waited_while_the_line_was_lost_stays_although_there_is_a_new_one(
    tmp_path: Path, protos: Protos
) -> None:
    stage = Stage(tmp_path, protos)
    living = asyncio.ensure_future(stage.session.live())
    await asyncio.sleep(0.01)
    connection = stage.connections[0]
    connection.queued = 0.2

    sending = asyncio.ensure_future(stage.session.send(Outgoing("5@lid", "hola", b"x" * 32)))
    await asyncio.sleep(0.01)
    for code in (12, 3, 27):  # What came meanwhile may be the owner's.
        connection.observer.on_event(code, b"")
    with pytest.raises(NotSent):
        await sending
    living.cancel()
    await asyncio.gather(living, return_exceptions=True)

    assert connection.sent == []
