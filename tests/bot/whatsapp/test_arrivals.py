import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.whatsapp.arrivals import Accept, Arrivals
from bot.whatsapp.aside import Order
from bot.whatsapp.events import CALL_OFFER, Horizon, Ignored, MessageReader
from bot.whatsapp.files import read_whole, write_whole
from bot.whatsapp.journal import Journal
from bot.whatsapp.journal_records import Entry
from bot.whatsapp.library import Protos
from bot.whatsapp.upcoming import MOST
from models.errors import GiveUp, RetryLater
from models.values import InboundMessage, Kind
from tests.bot.whatsapp.conftest import COMPANY, MakeEvent

NOW = datetime.fromtimestamp(1_790_000_000, UTC)
LID, PHONE = "999888777666555@lid", "5215587654321@s.whatsapp.net"

Make = Callable[..., Arrivals]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


@pytest.fixture
async def make(journal: Journal, protos: Protos) -> AsyncIterator[Make]:
    running: list[asyncio.Future[None]] = []

    def make(accept: Accept, journal: Journal = journal) -> Arrivals:
        reader = MessageReader(COMPANY, protos, Horizon(None, timedelta(hours=12)))
        arrivals = Arrivals(
            journal, reader, accept=accept, now=lambda: NOW, patience=lambda _: 0.01
        )
        running.append(asyncio.ensure_future(arrivals.hand_over()))
        return arrivals

    yield make
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


class Intake:
    """Stores in memory; raises what it is told to, first come first."""

    def __init__(self, *errors: Exception) -> None:
        self.stored: list[InboundMessage] = []
        self.errors = list(errors)
        self.open = asyncio.Event()
        self.open.set()

    async def accept(self, message: InboundMessage) -> None:
        await self.open.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.stored.append(message)

    async def holds(self, count: int) -> list[str]:
        async with asyncio.timeout(5):
            while len(self.stored) < count:  # noqa: ASYNC110  # Nothing tells of the end of a retry.
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
        return [message.text for message in self.stored]


async def test_a_message_is_on_the_disk_when_the_callback_returns(
    make: Make, journal: Journal, make_event: MakeEvent, tmp_path: Path
) -> None:
    intake = Intake()
    intake.open.clear()

    make(intake.accept).keep(make_event("hola"))

    assert [entry.raw for entry in Journal(tmp_path).entries()] == [make_event("hola")]


def call_offer(protos: Protos, call_id: str) -> bytes:
    """A customer's phone rings."""
    call = protos.events.CallOffer()
    meta = call.basicCallMeta
    meta.callID, meta.timestamp = call_id, int(NOW.timestamp())
    person = {"User": "999888777666555", "Server": "lid", "IsEmpty": False}
    for jid in (getattr(meta, "from"), meta.callCreator, meta.callCreatorAlt):
        jid.CopyFrom(protos.events.JID(**person))
    return bytes(call.SerializePartialToString())


async def test_a_call_is_kept_like_a_message_and_read_as_one_after_a_restart(
    make: Make, journal: Journal, protos: Protos, tmp_path: Path
) -> None:
    intake = Intake()
    intake.open.clear()
    make(intake.accept).keep(call_offer(protos, "CALL1"), CALL_OFFER)
    later = Intake()

    arrivals = make(later.accept, Journal(tmp_path))
    arrivals.replay()
    await later.holds(1)

    assert [(one.kind, one.wa_id) for one in later.stored] == [(Kind.CALL, "call:CALL1")]


async def test_it_is_forgotten_only_after_intake_has_it(
    make: Make, journal: Journal, make_event: MakeEvent
) -> None:
    intake = Intake()
    intake.open.clear()
    arrivals = make(intake.accept)
    arrivals.keep(make_event())
    await asyncio.sleep(0.02)
    assert journal.waiting == 1

    intake.open.set()
    await intake.holds(1)

    assert journal.waiting == 0
    assert intake.stored[0].journal_seq == 1


async def test_a_store_that_is_away_keeps_the_order(make: Make, make_event: MakeEvent) -> None:
    intake = Intake(*[RetryLater("away")] * 7)
    arrivals = make(intake.accept)
    for i in range(3):
        arrivals.keep(make_event(str(i), ID=f"A{i}"))

    assert await intake.holds(3) == ["0", "1", "2"]


async def test_a_message_that_can_never_be_stored_is_set_aside_and_does_not_stop_the_next(
    make: Make, journal: Journal, make_event: MakeEvent
) -> None:
    intake = Intake(*[ZeroDivisionError("of Ana's words")] * 3)
    arrivals = make(intake.accept)
    arrivals.keep(make_event("veneno", ID="A1"))
    arrivals.keep(make_event("sana", ID="A2"))

    assert await intake.holds(1) == ["sana"]
    (event,) = journal.aside.waiting()
    assert event.entry.raw == make_event("veneno", ID="A1")
    assert (event.why, event.at) == ("ZeroDivisionError", NOW.isoformat())
    assert journal.waiting == 0


async def test_what_postgresql_can_never_take_is_set_aside_at_the_first_try(
    make: Make, journal: Journal, make_event: MakeEvent
) -> None:
    intake = Intake(GiveUp("PostgreSQL cannot take the values"))
    arrivals = make(intake.accept)
    arrivals.keep(make_event("veneno", ID="A1"))
    arrivals.keep(make_event("sana", ID="A2"))

    assert await intake.holds(1) == ["sana"]
    assert journal.aside.count() == 1


async def test_a_fault_that_passes_sets_nothing_aside(
    make: Make, journal: Journal, make_event: MakeEvent
) -> None:
    intake = Intake(ZeroDivisionError(), RetryLater("away"), ZeroDivisionError())
    make(intake.accept).keep(make_event("hola"))

    assert await intake.holds(1) == ["hola"]
    assert journal.aside.count() == 0


async def test_an_event_whose_reading_fails_is_kept_and_set_aside(
    make: Make, journal: Journal, make_event: MakeEvent, protos: Protos, tmp_path: Path
) -> None:
    class Stumbling(MessageReader):
        def read(self, raw: bytes, *, seq: int, now: datetime) -> InboundMessage | Ignored:
            if b"veneno" in raw:
                raise KeyError("a field nobody thought of")
            return super().read(raw, seq=seq, now=now)

    left = journal.append(17, make_event("veneno, de antes", ID="A0"))
    journal.close()
    journal, intake = Journal(tmp_path), Intake()
    reader = Stumbling(COMPANY, protos, Horizon(None, timedelta(hours=12)))
    arrivals = Arrivals(
        journal, reader, accept=intake.accept, now=lambda: NOW, patience=lambda _: 0.01
    )
    arrivals.replay()
    arrivals.keep(make_event("veneno", ID="A1"))
    arrivals.keep(make_event("sana", ID="A2"))
    taking = asyncio.ensure_future(arrivals.hand_over())

    assert await intake.holds(1) == ["sana"]
    assert [one.entry.seq for one in journal.aside.waiting()] == [left, left + 1]
    taking.cancel()


async def test_what_is_ordered_back_is_taken_in_and_what_is_dropped_goes(
    make: Make, journal: Journal, make_event: MakeEvent
) -> None:
    intake = Intake(*[ZeroDivisionError()] * 6)
    arrivals = make(intake.accept)
    arrivals.keep(make_event("de nuevo", ID="A1"))
    arrivals.keep(make_event("fuera", ID="A2"))
    arrivals.keep(make_event("sana", ID="A3"))
    await intake.holds(1)
    again, drop = (one.entry.seq for one in journal.aside.waiting())

    journal.aside.order(Order.RETRY, again)
    journal.aside.order(Order.DROP, drop)
    arrivals.obey()

    assert await intake.holds(2) == ["sana", "de nuevo"]
    assert journal.aside.events() == []
    assert journal.waiting == 0


async def test_what_fails_again_is_set_aside_again(
    make: Make, journal: Journal, make_event: MakeEvent
) -> None:
    intake = Intake(*[ZeroDivisionError()] * 3)
    arrivals = make(intake.accept)
    arrivals.keep(make_event("veneno", ID="A1"))
    arrivals.keep(make_event("sana", ID="A2"))
    await intake.holds(1)
    (first,) = journal.aside.waiting()

    intake.errors = [ZeroDivisionError()] * 3
    journal.aside.order(Order.RETRY)
    arrivals.obey()
    arrivals.keep(make_event("otra", ID="A3"))
    await intake.holds(2)

    (again,) = journal.aside.events()
    assert again.entry.raw == first.entry.raw
    assert again.entry.seq > first.entry.seq


@pytest.mark.parametrize(("order", "stored"), [(Order.RETRY, ["yo sigo"]), (Order.DROP, [])])
async def test_an_owners_message_set_aside_keeps_its_chat_silent_until_somebody_has_decided(
    make: Make,
    journal: Journal,
    make_event: MakeEvent,
    tmp_path: Path,
    order: Order,
    stored: list[str],
) -> None:
    intake = Intake(*[ZeroDivisionError()] * 3)
    first = make(intake.accept)
    first.keep(make_event("yo sigo", own=True, ID="A1"))
    first.keep(make_event("sana", ID="A2"))
    await intake.holds(1)
    assert first.hand(LID).pending
    journal.close()

    journal = Journal(tmp_path)
    later = Intake()
    again = make(later.accept, journal)
    again.replay()
    assert again.hand(LID).pending
    journal.aside.order(order)
    again.obey()

    assert await later.holds(len(stored)) == stored
    assert not again.hand(LID).pending


async def test_what_another_version_failed_on_is_tried_once_more_after_an_upgrade(
    make: Make, journal: Journal, make_event: MakeEvent, tmp_path: Path
) -> None:
    for number, text in enumerate(("de antes", "de ahora"), 1):
        entry = Entry(number, 17, make_event(text, ID=f"A{number}"))
        journal.aside.keep(entry, why="KeyError", at=NOW)
    (first, _) = journal.aside.waiting()
    write_whole(first.file, read_whole(first.file) | {"program": "0.0.9"})
    journal.close()

    journal, intake = Journal(tmp_path), Intake()
    make(intake.accept, journal).replay()

    assert await intake.holds(1) == ["de antes"]
    assert journal.aside.count() == 1


async def test_killed_between_setting_aside_and_forgetting_it_is_not_tried_again(
    make: Make, journal: Journal, make_event: MakeEvent, tmp_path: Path
) -> None:
    seq = journal.append(17, make_event("veneno"))
    entry = journal.find(seq)
    assert entry is not None
    journal.aside.keep(entry, why="ZeroDivisionError", at=NOW)
    journal.close()

    journal, intake = Journal(tmp_path), Intake()
    arrivals = make(intake.accept, journal)

    assert arrivals.replay() == 0
    assert (journal.waiting, journal.aside.count()) == (0, 1)


async def test_what_cannot_be_set_aside_stays_in_the_journal_and_blocks_nobody(
    make: Make, journal: Journal, make_event: MakeEvent, tmp_path: Path
) -> None:
    (tmp_path / "aside").touch()  # Where the folder should be.
    intake = Intake(*[ZeroDivisionError()] * 3)
    arrivals = make(intake.accept)
    arrivals.keep(make_event("veneno", ID="A1"))
    arrivals.keep(make_event("sana", ID="A2"))

    assert await intake.holds(1) == ["sana"]
    assert journal.waiting == 1


async def test_a_full_journal_holds_the_client_back_until_intake_has_taken_some(
    make: Make, make_event: MakeEvent, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    intake = Intake()
    intake.open.clear()
    journal = Journal(tmp_path / "small", most_entries=1)
    arrivals = make(intake.accept, journal)
    arrivals.keep(make_event("uno", ID="A1"))
    waiting = asyncio.ensure_future(asyncio.to_thread(arrivals.keep, make_event("dos", ID="A2")))
    async with asyncio.timeout(5):
        while journal.refusal is None:  # noqa: ASYNC110  # Another thread sets it.
            await asyncio.sleep(0.005)
    assert not waiting.done()

    intake.open.set()

    assert await intake.holds(2) == ["uno", "dos"]
    assert journal.refusal is None
    assert any("the journal holds all it may" in line for line in caplog.messages)


async def test_groups_and_the_like_cost_no_write(
    make: Make, journal: Journal, make_event: MakeEvent
) -> None:
    intake = Intake()

    make(intake.accept).keep(make_event(chat="1203630@g.us", group=True))

    assert journal.waiting == 0


async def test_the_owner_is_known_before_the_disk_and_pending_until_stored(
    make: Make, make_event: MakeEvent
) -> None:
    intake = Intake()
    intake.open.clear()
    arrivals = make(intake.accept)

    arrivals.keep(make_event("yo sigo", own=True))

    for chat in (LID, PHONE):
        assert arrivals.hand(chat).pending
        assert arrivals.hand(chat).count == 1
    intake.open.set()
    await intake.holds(1)
    assert not arrivals.hand(LID).pending
    assert arrivals.hand(LID).count == 1


async def test_after_a_restart_the_owner_is_known_before_anything_is_stored(
    make: Make, journal: Journal, make_event: MakeEvent, tmp_path: Path, protos: Protos
) -> None:
    journal.append(17, make_event("yo sigo", own=True))
    journal.close()
    reader = MessageReader(COMPANY, protos, Horizon(None, timedelta(hours=12)))
    again = Arrivals(
        Journal(tmp_path),
        reader,
        accept=Intake().accept,
        now=lambda: NOW,
        patience=lambda _: 0.01,
    )

    assert again.replay() == 1
    assert again.hand(LID).pending


async def test_what_we_sent_ourselves_is_never_the_owners(
    make: Make, make_event: MakeEvent
) -> None:
    intake = Intake()
    arrivals = make(intake.accept)
    arrivals.sent("3EB0AA")

    arrivals.keep(make_event("nuestro", own=True, ID="3EB0AA"))
    arrivals.keep(make_event("suyo", own=True, ID="3A77"))

    assert await intake.holds(1) == ["suyo"]
    assert arrivals.hand(LID).count == 1


async def test_a_full_disk_holds_the_client_back_until_there_is_room(
    make: Make, journal: Journal, make_event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    intake = Intake()
    arrivals = make(intake.accept)
    append, room = journal.append, threading.Event()

    def full(code: int, raw: bytes) -> int:
        if not room.is_set():
            room.set()
            raise OSError(28, "the disk is full")
        return append(code, raw)

    journal.append = full  # type: ignore[method-assign]
    await asyncio.to_thread(arrivals.keep, make_event("al final"))

    assert await intake.holds(1) == ["al final"]
    assert any("free disk space" in line for line in caplog.messages)


async def test_what_has_arrived_is_taken_in_before_a_session_is_left(
    make: Make, make_event: MakeEvent
) -> None:
    intake = Intake(RetryLater("away"))
    arrivals = make(intake.accept)
    for number in range(3):
        arrivals.keep(make_event(f"m{number}", ID=f"W{number}"))
    await asyncio.sleep(0)

    async with asyncio.timeout(2):  # It is told that all is taken; its limit is not what ends it.
        await arrivals.emptied(30)

    assert [one.text for one in intake.stored] == ["m0", "m1", "m2"]


async def test_leaving_does_not_wait_for_ever_for_a_store(
    make: Make, make_event: MakeEvent
) -> None:
    intake = Intake()
    intake.open.clear()
    arrivals = make(intake.accept)
    arrivals.keep(make_event("hola"))
    await asyncio.sleep(0)

    async with asyncio.timeout(2):
        await arrivals.emptied(0.05)


@pytest.mark.parametrize("ticks", range(8))
async def test_a_cancel_while_intake_takes_the_last_message_is_never_lost(
    make: Make, make_event: MakeEvent, ticks: int
) -> None:
    intake = Intake()
    intake.open.clear()
    arrivals = make(intake.accept)
    arrivals.keep(make_event("hola"))
    await asyncio.sleep(0.02)
    waiting = asyncio.ensure_future(arrivals.emptied(5))
    await asyncio.sleep(0.02)

    intake.open.set()
    for _ in range(ticks):
        await asyncio.sleep(0)
    accepted = waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert waiting.cancelled() is accepted


def in_memory() -> int:
    return sum(type(one) is InboundMessage for one in gc.get_objects())


async def test_of_a_long_journal_a_few_are_in_memory_and_all_are_taken_in_their_order(
    make: Make, journal: Journal, make_event: MakeEvent, tmp_path: Path
) -> None:
    texts = [str(number) for number in range(2 * MOST + 30)]
    events = [make_event(text, ID=f"A{text}") for text in texts]
    for event in events[:-20]:
        journal.append(17, event)
    journal.close()
    intake, before = Intake(), in_memory()
    intake.open.clear()
    arrivals = make(intake.accept, again := Journal(tmp_path))

    assert arrivals.replay() == len(events) - 20
    for event in events[-20:]:
        arrivals.keep(event)  # Live, while those before it wait.
    await asyncio.sleep(0.02)
    assert in_memory() - before <= MOST + 1
    assert arrivals.untaken == len(events)
    intake.open.set()
    await arrivals.emptied(20)

    assert [message.text for message in intake.stored] == texts
    assert (again.waiting, arrivals.untaken) == (0, 0)


async def test_the_owner_is_known_from_the_end_of_a_long_journal_until_it_is_stored(
    make: Make, journal: Journal, make_event: MakeEvent, tmp_path: Path
) -> None:
    for number in range(MOST + 5):
        journal.append(17, make_event(ID=f"A{number}"))
    journal.append(17, make_event("yo sigo", own=True, ID="B1"))
    journal.close()
    intake = Intake()
    intake.open.clear()
    arrivals = make(intake.accept, Journal(tmp_path))

    arrivals.replay()
    assert (arrivals.hand(LID).pending, arrivals.hand(LID).count) == (True, 1)
    intake.open.set()
    await arrivals.emptied(20)

    assert (arrivals.hand(LID).pending, arrivals.hand(LID).count) == (False, 1)


async def test_what_cannot_be_set_aside_is_not_read_on_again(
    make: Make, journal: Journal, make_event: MakeEvent, tmp_path: Path
) -> None:
    (tmp_path / "aside").touch()
    intake = Intake(GiveUp("PostgreSQL cannot take the values"))
    intake.open.clear()
    arrivals = make(intake.accept)
    for number in range(MOST + 5):
        arrivals.keep(make_event(str(number), ID=f"A{number}"))

    await asyncio.sleep(0)  # All are queued, as far as there is room.
    intake.open.set()
    await arrivals.emptied(20)

    assert [int(message.text) for message in intake.stored] == list(range(1, MOST + 5))
    assert (journal.waiting, arrivals.untaken) == (1, 0)
