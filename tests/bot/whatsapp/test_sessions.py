import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from bot.config import Daemon, Limits, Settings
from bot.whatsapp.files import CompanyFiles, Pairing
from bot.whatsapp.journal import Journal
from bot.whatsapp.library import Protos
from bot.whatsapp.locks import holding
from bot.whatsapp.patience import PATIENCE
from bot.whatsapp.sessions import Sessions, WantedCompany
from bot.whatsapp.states import Reason, State
from bot.wire import NotSent, Outgoing, Wire
from models.errors import GiveUp, RetryLater
from models.values import InboundMessage
from tests.bot.whatsapp.conftest import MakeEvent
from tests.fakes.connection import FakeConnection, FakeConnector, SessionFile

PAIRED_AT = datetime(2026, 9, 1, tzinfo=UTC)
NOW = datetime.fromtimestamp(1_790_000_000, UTC)
PHONE = "+5215512345678"


class Desk:
    """Leases, states, delivery and intake in memory, with everything that happened in order."""

    def __init__(self) -> None:
        self.companies: list[UUID] = []
        self.leased = True
        self.down = False
        self.detach_seconds = 0.0
        self.refuses: set[UUID] = set()
        self.elsewhere: set[UUID] = set()
        self.unwanted: set[UUID] = set()
        self.aware: set[UUID] = set()
        self.numbers: dict[str, tuple[UUID, str]] = {}
        self.unrecordable: dict[UUID, Exception] = {}
        self.happened: list[tuple[str, object]] = []
        self.messages: list[InboundMessage] = []
        self.states: dict[UUID, list[Reason]] = {}
        self.pairings: dict[UUID, Pairing | None] = {}
        self.wires: dict[UUID, Wire] = {}
        self._changed = asyncio.Condition()
        self._notes: list[asyncio.Task[None]] = []

    async def wanted(self) -> list[WantedCompany]:
        return [
            *(
                WantedCompany(one, elsewhere=one in self.elsewhere, typing_aware=one in self.aware)
                for one in self.companies
            ),
            *(WantedCompany(one, wanted=False) for one in self.unwanted),
        ]

    async def take(self, company_id: UUID) -> int | None:
        return 5 if self.leased and company_id in self.companies else None

    async def holds(self, _: UUID, fence: int) -> bool:
        return self.leased and fence == 5  # A lease outlives the wish for it.

    async def release(self, company_id: UUID, fence: int) -> None:
        await self._note("released", (company_id, fence))

    async def claim_number(self, company_id: UUID, phone: str) -> str | None:
        other, device = self.numbers.get(phone, (company_id, ""))
        return None if other == company_id else device

    async def attach(self, wire: Wire, fence: int) -> None:
        if wire.company_id in self.refuses:
            raise ZeroDivisionError(fence)
        self.wires[wire.company_id] = wire
        await self._note("attached", wire.company_id)

    async def detach(self, company_id: UUID) -> None:
        self.wires.pop(company_id, None)
        await asyncio.sleep(self.detach_seconds)
        await self._note("detached", company_id)

    async def record_state(self, company_id: UUID, state: State, pairing: Pairing | None) -> None:
        if self.down:
            raise RetryLater("the store is down")
        if error := self.unrecordable.get(company_id):
            raise error
        self.states.setdefault(company_id, []).append(state.reason)
        self.pairings[company_id] = pairing
        await self._note("state", state.reason)

    def forget(self, company_id: UUID) -> None:
        if self.states.pop(company_id, None):
            self._notes.append(asyncio.ensure_future(self._note("forgotten", company_id)))

    async def accept(self, message: InboundMessage) -> None:
        if self.down:
            raise RetryLater("the store is down")
        self.messages.append(message)
        await self._note("message", message.text)

    async def until(self, claim: Callable[[], bool], seconds: float = 50) -> None:
        """Wait until *claim* holds."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(claim)

    async def reaches(self, company_id: UUID, reason: Reason, seconds: float = 50) -> None:
        """Wait until the company's newest state is *reason*."""
        await self.until(lambda: self.states.get(company_id, [])[-1:] == [reason], seconds)

    def reasons(self) -> list[Reason]:
        """The newest of each company."""
        return [states[-1] for states in self.states.values()]

    async def _note(self, what: str, value: object) -> None:
        self.happened.append((what, value))
        async with self._changed:
            self._changed.notify_all()


class Machine:
    """One host: its state directory, its connector and its desk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.desk = Desk()
        self.connector = FakeConnector()
        self.sessions: Sessions | None = None
        self.ended: object = None
        self.now = NOW
        self.patience = PATIENCE
        self.room = 100

    def files(self, company: UUID) -> CompanyFiles:
        return CompanyFiles(self.folder, company)

    def pair(self, company: UUID, number: str = "5215512345678") -> SessionFile:
        files = self.files(company)
        files.prepare()
        file = SessionFile(files.session)
        file.pair(number)
        files.write_note(Pairing(f"{number}:1@s.whatsapp.net", "1:1@lid", "android", PAIRED_AT))
        return file

    def add(self, number: str | None = "5215512345678") -> UUID:
        company = uuid4()
        self.desk.companies.append(company)
        if number:
            self.pair(company, number)
        return company

    def sentence(self, company: UUID) -> str:
        assert self.sessions is not None
        return self.sessions.states()[company].sentence("en")

    def connection(self, company: UUID) -> FakeConnection:
        return self.connector.made[company][-1]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Desk]:
        sessions = Sessions(
            Settings(
                daemon=Daemon(state_dir=self.folder), limits=Limits(sessions_per_host=self.room)
            ),
            leases=self.desk,
            states=self.desk,
            delivery=self.desk,
            accept=self.desk.accept,
            connector=self.connector,
            now=lambda: self.now,
            look_seconds=0.05,
            patience=self.patience,
        )
        self.sessions = sessions
        task = asyncio.ensure_future(sessions.run())
        try:
            yield self.desk
        finally:
            task.cancel()
            (self.ended,) = await asyncio.gather(task, return_exceptions=True)


MakeMachine = Callable[[], AbstractAsyncContextManager[Machine]]


@pytest.fixture
async def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


async def test_a_company_that_was_never_paired_says_so_and_starts_nothing(
    machine: Machine,
) -> None:
    company = machine.add(number=None)

    async with machine.running() as desk:
        await desk.reaches(company, Reason.NEVER_PAIRED)

    assert machine.connector.made == {}


async def test_a_paired_company_settles_before_it_connects_and_shows_its_number(
    machine: Machine,
) -> None:
    company = machine.add()

    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        order = [what for what, _ in desk.happened]

    assert order.index("attached") < order.index("state")
    pairing = desk.pairings[company]
    assert pairing is not None
    assert pairing.phone == "+5215512345678"
    assert machine.sessions is not None


async def test_a_new_pairing_is_hosted_within_five_seconds(machine: Machine) -> None:
    company = machine.add(number=None)

    async with machine.running() as desk:
        await desk.reaches(company, Reason.NEVER_PAIRED)
        machine.pair(company)
        await desk.reaches(company, Reason.ONLINE, seconds=5)


async def test_a_session_file_that_another_process_holds_is_named_and_left_until_it_is_free(
    machine: Machine,
) -> None:
    company = machine.add()

    async with machine.running() as desk:
        with holding(machine.files(company).lock, "a copy made") as ours:
            assert ours
            await desk.reaches(company, Reason.FILE_HELD)
            assert f"a copy made by process {os.getpid()}" in machine.sentence(company)
            assert machine.connector.made == {}
        await desk.reaches(company, Reason.ONLINE)


async def test_a_pairing_under_way_is_shown_until_it_is_over(machine: Machine) -> None:
    company = machine.add(number=None)
    machine.files(company).prepare()

    async with machine.running() as desk:
        with holding(machine.files(company).lock, "pairing") as ours:
            assert ours
            await desk.reaches(company, Reason.PAIRING)
        await desk.reaches(company, Reason.NEVER_PAIRED)


async def test_a_company_of_another_host_is_left_alone(machine: Machine) -> None:
    machine.desk.leased = False
    machine.add()

    async with machine.running():
        await asyncio.sleep(0.3)

    assert machine.connector.made == {}


async def test_a_lost_lease_ends_the_session_at_once(machine: Machine) -> None:
    company = machine.add()

    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        desk.leased = False
        await asyncio.wait_for(machine.connection(company).stopped.wait(), 5)
        await desk.until(lambda: ("released", (company, 5)) in desk.happened)

        await desk.until(lambda: company not in desk.states)
        assert machine.sessions is not None
        assert company not in machine.sessions.states()

    assert ("detached", company) in desk.happened


async def test_what_another_host_holds_is_not_started_and_not_spoken_for(
    machine: Machine,
) -> None:
    company = machine.add(number=None)

    async with machine.running() as desk:
        await desk.reaches(company, Reason.NEVER_PAIRED)
        desk.elsewhere.add(company)
        machine.pair(company)
        await asyncio.sleep(0.3)
        assert machine.connector.made == {}
        assert company not in desk.states
        desk.elsewhere.clear()
        await desk.reaches(company, Reason.ONLINE)


async def test_a_session_that_rested_here_and_ran_elsewhere_may_start_again(
    machine: Machine,
) -> None:
    company = machine.add()

    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        machine.connection(company).observer.on_event(10, b"")
        await desk.reaches(company, Reason.OUTDATED)
        desk.elsewhere.add(company)
        await desk.until(lambda: company not in desk.states)
        desk.elsewhere.clear()
        await desk.reaches(company, Reason.ONLINE)


async def test_a_fault_in_recording_states_is_not_kept_silent(machine: Machine) -> None:
    company = machine.add(number=None)
    machine.desk.unrecordable[company] = ZeroDivisionError("a defect")

    async with machine.running():
        await asyncio.sleep(0.3)

    assert "a defect" in repr(machine.ended)
    assert machine.connector.closed


async def test_a_state_that_can_never_be_recorded_holds_up_no_other(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    odd, company = machine.add(number=None), machine.add(number=None)
    machine.desk.unrecordable[odd] = GiveUp("not a text PostgreSQL takes")

    async with machine.running() as desk:
        await desk.reaches(company, Reason.NEVER_PAIRED)

    assert "a state can never be recorded" in caplog.text


async def test_a_full_process_takes_no_more_companies_until_one_ends(machine: Machine) -> None:
    machine.room = 2
    companies = [machine.add(f"521551234567{n}") for n in range(3)]

    async with machine.running() as desk:
        await desk.until(lambda: desk.reasons().count(Reason.ONLINE) == 2)
        await desk.until(lambda: desk.reasons().count(Reason.NO_ROOM) == 1)
        waiting = next(one for one in companies if desk.states[one][-1] is Reason.NO_ROOM)
        assert waiting not in machine.connector.made
        assert "--shard" in machine.sentence(waiting)

        desk.companies.remove(next(one for one in companies if one != waiting))
        await desk.reaches(waiting, Reason.ONLINE)


async def test_a_company_that_waited_for_room_and_found_it_elsewhere_is_not_spoken_for(
    machine: Machine,
) -> None:
    machine.room = 1
    companies = [machine.add(f"521551234567{n}") for n in range(2)]

    async with machine.running() as desk:
        await desk.until(lambda: sorted(desk.reasons()) == [Reason.NO_ROOM, Reason.ONLINE])
        waiting = next(one for one in companies if desk.states[one][-1] is Reason.NO_ROOM)
        desk.elsewhere.add(waiting)
        await desk.until(lambda: waiting not in desk.states)


async def test_a_company_that_nobody_hosts_and_nobody_wants_is_stopped_and_may_come_back(
    machine: Machine,
) -> None:
    company = machine.add(number=None)

    async with machine.running() as desk:
        await desk.reaches(company, Reason.NEVER_PAIRED)
        desk.companies.clear()
        desk.unwanted.add(company)
        await desk.reaches(company, Reason.STOPPED)
        desk.unwanted.clear()
        desk.companies.append(company)
        await desk.reaches(company, Reason.NEVER_PAIRED)


async def test_a_company_no_longer_wanted_is_stopped(machine: Machine) -> None:
    company = machine.add()

    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        desk.companies.clear()
        await asyncio.wait_for(machine.connection(company).stopped.wait(), 50)
        await desk.reaches(company, Reason.STOPPED)


async def test_what_a_session_says_while_it_is_stopped_is_not_how_it_stands(
    machine: Machine,
) -> None:
    company = machine.add()

    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        desk.detach_seconds = 0.4
        desk.companies.clear()
        await desk.reaches(company, Reason.STOPPED)
        machine.connection(company).observer.on_event(12, b"")
        await desk.reaches(company, Reason.RECONNECTING)
        await desk.reaches(company, Reason.STOPPED)


async def test_a_clean_stop_is_not_cut_short_by_the_next_look(machine: Machine) -> None:
    company = machine.add()

    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        desk.detach_seconds = 0.4  # Many looks long.
        desk.companies.clear()
        await desk.until(lambda: ("released", (company, 5)) in desk.happened)

    what = [name for name, _ in desk.happened]
    assert machine.connection(company).stopped.is_set()
    assert "detached" in what
    assert what.index("detached") < what.index("released")


async def test_a_clean_stop_that_a_lost_lease_began_is_not_cut_short_either(
    machine: Machine,
) -> None:
    company = machine.add()

    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        desk.detach_seconds = 0.4
        desk.leased = False
        await asyncio.sleep(0.2)  # The lease is found lost.
        desk.companies.clear()
        await desk.until(lambda: ("released", (company, 5)) in desk.happened)

    assert ("detached", company) in desk.happened
    assert machine.connection(company).stopped.is_set()


async def test_without_a_way_to_whatsapp_it_says_so_and_connects_when_there_is_one(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    company = machine.add()
    machine.connector.why = "web.whatsapp.com: no route"

    async with machine.running() as desk:
        await desk.reaches(company, Reason.UNREACHABLE)
        assert machine.connector.made == {}
        machine.connector.why = None
        await desk.reaches(company, Reason.ONLINE)

    assert sum("cannot be reached" in line for line in caplog.messages) == 1


async def test_a_session_that_ends_by_itself_starts_again(machine: Machine) -> None:
    company = machine.add()

    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        machine.connection(company).observer.on_end("required field not set")
        await desk.reaches(company, Reason.FAULT)
        await desk.reaches(company, Reason.ONLINE)

    assert len(machine.connector.made[company]) == 2
    assert machine.connector.made[company][0].stopped.is_set()


async def test_a_phone_that_logs_out_rests_until_it_is_paired_again(machine: Machine) -> None:
    company = machine.add()
    file = SessionFile(machine.files(company).session)

    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        file.unpair()
        machine.connection(company).observer.on_event(6, b"\x08\x00\x10\x02")
        await desk.reaches(company, Reason.LOGGED_OUT)
        await asyncio.sleep(0.3)
        assert desk.states[company][-1] is Reason.LOGGED_OUT
        assert len(machine.connector.made[company]) == 1
        with holding(machine.files(company).lock) as free:
            assert free
        machine.pair(company)
        await desk.reaches(company, Reason.ONLINE)


async def test_why_a_session_is_over_is_told_also_where_the_disk_takes_nothing(
    machine: Machine, protos: Protos
) -> None:
    company = machine.add()
    banned = protos.events.LoggedOut(OnConnect=True, Reason=protos.events.UNKNOWN_LOGOUT)

    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        machine.files(company).end.mkdir()
        SessionFile(machine.files(company).session).unpair()
        machine.connection(company).observer.on_event(6, banned.SerializeToString())
        await desk.reaches(company, Reason.BANNED)
        await asyncio.sleep(0.3)

    assert desk.states[company][-1] is Reason.BANNED


async def test_an_outdated_client_is_not_started_over_and_over(machine: Machine) -> None:
    company = machine.add()

    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        machine.connection(company).observer.on_event(10, b"")
        await desk.reaches(company, Reason.OUTDATED)
        await asyncio.sleep(0.5)

    assert len(machine.connector.made[company]) == 1


async def test_a_missing_library_is_a_state_and_nothing_more(machine: Machine) -> None:
    machine.connector.missing = True
    company = machine.add()

    async with machine.running() as desk:
        await desk.reaches(company, Reason.LIBRARY_MISSING)
        await asyncio.sleep(0.3)

    assert desk.states[company].count(Reason.LIBRARY_MISSING) == 1


async def test_a_second_phone_with_a_number_in_use_is_refused_and_unlinked(
    machine: Machine, make_event: MakeEvent
) -> None:
    company = machine.add()
    machine.desk.numbers[PHONE] = (uuid4(), "5215512345678:9@s.whatsapp.net")
    machine.connector.arriving = make_event("para la otra empresa", ID="A1")

    async with machine.running() as desk:
        await desk.reaches(company, Reason.NUMBER_IN_USE)
        await asyncio.wait_for(machine.connection(company).stopped.wait(), 50)
        assert machine.connection(company).logged_out
    async with machine.running() as desk:  # The reason outlives the process.
        await desk.reaches(company, Reason.NUMBER_IN_USE)
        machine.connector.arriving = None
        machine.pair(company, "5215599999999")
        await desk.reaches(company, Reason.ONLINE)

    assert desk.messages == []
    assert desk.wires == {}
    assert len(machine.connector.made[company]) == 2


@pytest.mark.parametrize(
    ("device", "kept"), [("5215512345678:1@s.whatsapp.net", False), ("", True)]
)
async def test_unlinking_never_hits_the_company_that_has_the_number(
    machine: Machine, device: str, kept: bool
) -> None:
    company = machine.add()
    machine.desk.numbers[PHONE] = (uuid4(), device)
    session = machine.files(company).session
    before = session.read_bytes()

    async with machine.running() as desk:
        await desk.reaches(company, Reason.NUMBER_IN_USE)
        await asyncio.sleep(0.3)

    assert machine.connector.made == {}
    assert session.exists() == kept
    (aside,) = [session] if kept else session.parent.glob("*.copy-*[0-9]Z")
    assert aside.read_bytes() == before


async def test_a_refused_phone_that_cannot_be_unlinked_now_is_tried_again(
    machine: Machine,
) -> None:
    company = machine.add()
    machine.desk.numbers[PHONE] = (uuid4(), "5215512345678:9@s.whatsapp.net")
    machine.patience = replace(PATIENCE, longest=0.1)
    machine.connector.why = "no route"

    async with machine.running() as desk:
        await desk.reaches(company, Reason.NUMBER_IN_USE)
        await asyncio.sleep(0.3)
        assert machine.connector.made == {}
        machine.connector.why = None
        machine.connector.failures = [NotSent("websocket not connected")]
        await asyncio.sleep(0.5)
        assert [one.logged_out for one in machine.connector.made[company]] == [False, True]

    assert desk.states[company].count(Reason.NUMBER_IN_USE) == 1


async def test_a_number_that_comes_free_is_taken(machine: Machine) -> None:
    company = machine.add()
    machine.desk.numbers[PHONE] = (uuid4(), "")
    machine.patience = replace(PATIENCE, longest=0.1)

    async with machine.running() as desk:
        await desk.reaches(company, Reason.NUMBER_IN_USE)
        machine.desk.numbers.clear()
        await desk.reaches(company, Reason.ONLINE)


async def test_a_device_that_is_gone_is_a_logout_and_starts_nothing(machine: Machine) -> None:
    company = machine.add()
    SessionFile(machine.files(company).session).unpair()

    async with machine.running() as desk:
        await desk.reaches(company, Reason.LOGGED_OUT)

    assert machine.connector.made == {}


async def test_a_device_that_goes_between_two_tries_is_a_logout(machine: Machine) -> None:
    company = machine.add()

    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        SessionFile(machine.files(company).session).unpair()
        machine.connection(company).observer.on_end("required field not set")
        await desk.reaches(company, Reason.LOGGED_OUT)

    assert len(machine.connector.made[company]) == 1


async def test_why_a_session_ended_outlives_the_process(machine: Machine, protos: Protos) -> None:
    company = machine.add()
    banned = protos.events.LoggedOut(OnConnect=True, Reason=protos.events.UNKNOWN_LOGOUT)

    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        SessionFile(machine.files(company).session).unpair()
        machine.connection(company).observer.on_event(6, banned.SerializeToString())
        await desk.reaches(company, Reason.BANNED)
    machine.desk.states.clear()

    async with machine.running() as desk:
        await desk.reaches(company, Reason.BANNED)
        machine.pair(company)
        await desk.reaches(company, Reason.ONLINE)
    assert machine.files(company).read_end() == State(Reason.LOGGED_OUT)


async def test_a_company_that_fails_leaves_the_others_running(machine: Machine) -> None:
    broken, healthy = machine.add("521"), machine.add("522")
    machine.desk.refuses.add(broken)

    async with machine.running() as desk:
        await desk.reaches(healthy, Reason.ONLINE)
        await desk.reaches(broken, Reason.FAULT)


async def test_a_stop_is_quick_and_in_order(machine: Machine) -> None:
    companies = [machine.add(f"52{i}") for i in range(5)]

    async with machine.running() as desk:
        for company in companies:
            await desk.reaches(company, Reason.ONLINE)
        began = time.monotonic()

    assert time.monotonic() - began < 3
    assert all(machine.connection(company).stopped.is_set() for company in companies)
    assert all(desk.states[company][-1] is Reason.STOPPED for company in companies)
    assert machine.connector.closed
    assert sum(what == "detached" for what, _ in desk.happened) == 5


async def test_a_state_reaches_its_store_when_the_store_comes_back(machine: Machine) -> None:
    company = machine.add(number=None)
    machine.desk.down = True

    async with machine.running() as desk:
        await asyncio.sleep(0.5)
        assert desk.states == {}
        desk.down = False
        await desk.reaches(company, Reason.NEVER_PAIRED)


async def test_messages_wait_for_intake_in_order_and_none_is_lost_by_a_restart(
    machine: Machine, make_event: MakeEvent
) -> None:
    company = machine.add()
    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        desk.down = True
        on_event = machine.connection(company).observer.on_event
        for i in range(3):
            await asyncio.to_thread(on_event, 17, make_event(f"antes {i}", ID=f"A{i}"))
        await asyncio.sleep(0.2)
        assert desk.messages == []
        assert machine.sessions is not None
        assert machine.sessions.unstored() == 3
    assert machine.sessions.unstored() == 0  # They wait for whoever hosts the company next.
    desk.down = False
    desk.states.clear()

    async with machine.running() as desk:
        await desk.until(lambda: len(desk.messages) == 3)
        await desk.reaches(company, Reason.ONLINE)
        on_event = machine.connection(company).observer.on_event
        await asyncio.to_thread(on_event, 17, make_event("después", ID="B"))
        await desk.until(lambda: len(desk.messages) == 4)
        texts = [message.text for message in desk.messages]

    assert texts == ["antes 0", "antes 1", "antes 2", "después"]
    async with machine.running() as desk:
        await asyncio.sleep(0.3)
    assert len(desk.messages) == 4


async def test_files_with_keys_are_nobody_elses_to_read(machine: Machine) -> None:
    files = machine.files(machine.add())

    assert files.session.parent.stat().st_mode & 0o077 == 0
    assert files.note.stat().st_mode & 0o077 == 0
    assert set(json.loads(files.note.read_text())) == {"jid", "lid", "platform", "paired_at"}


async def test_a_damaged_session_file_is_set_aside_and_asks_for_a_pairing(
    machine: Machine, make_event: MakeEvent
) -> None:
    broken, healthy = machine.add("521"), machine.add("522")
    files = machine.files(broken)
    files.session.write_bytes(b"no database " * 100)
    wal = files.session.with_name(f"{files.session.name}-wal")
    wal.write_bytes(b"left by a crash")
    Journal(files.journal).append(17, make_event("kept"))

    for _ in range(2):  # Said again by the next process.
        async with machine.running() as desk:
            await desk.reaches(healthy, Reason.ONLINE)
            await desk.reaches(broken, Reason.DAMAGED)
            await desk.until(lambda: bool(desk.messages))
            sentence = machine.sentence(broken)
        machine.desk.states.clear()

    name = f"{files.session.name}.corrupt-{NOW:%Y%m%dT%H%M%SZ}"
    assert name in sentence
    assert "lyrox pair" in sentence
    assert files.session.with_name(name).read_bytes() == b"no database " * 100
    assert files.session.with_name(f"{name}-wal").read_bytes() == b"left by a crash"
    assert not files.session.exists()
    assert not wal.exists()
    assert [message.text for message in desk.messages] == ["kept"]
    async with machine.running() as desk:
        machine.pair(broken, "521")
        await desk.reaches(broken, Reason.ONLINE)


async def test_a_file_that_breaks_while_it_is_in_use_is_set_aside_before_the_next_try(
    machine: Machine,
) -> None:
    company = machine.add()

    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        machine.files(company).session.write_bytes(b"no database " * 100)
        machine.connection(company).observer.on_end("database disk image is malformed")
        await desk.reaches(company, Reason.DAMAGED)

    assert len(machine.connector.made[company]) == 1
    assert desk.wires == {}


async def test_sessions_that_end_by_themselves_are_counted_by_why(machine: Machine) -> None:
    company = machine.add()
    machine.patience = replace(PATIENCE, first=0.05)

    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        machine.connection(company).observer.on_end("required field not set")
        await desk.until(lambda: len(machine.connector.made[company]) == 2)
        await desk.reaches(company, Reason.ONLINE)
        assert machine.sessions is not None

    assert machine.sessions.restarts(Reason.FAULT) == 1
    assert machine.sessions.restarts(Reason.UNREACHABLE) == 0


async def test_a_phone_that_sleeps_is_told_while_it_is_connected_and_a_sign_ends_it(
    machine: Machine, make_event: MakeEvent
) -> None:
    company = machine.add()
    machine.files(company).write_phone(PAIRED_AT)
    machine.now = PAIRED_AT + timedelta(days=10)

    async with machine.running() as desk:
        await desk.reaches(company, Reason.PHONE_ASLEEP)
        assert "2026-09-01" in machine.sentence(company)
        wire = desk.wires[company]
        assert wire.connected
        assert await wire.send(Outgoing("5@lid", "hola", b"x" * 32))
        observer = machine.connection(company).observer
        milliseconds = int(machine.now.timestamp() * 1000)
        sign = make_event("hola", own=True, Timestamp=milliseconds)
        await asyncio.to_thread(observer.on_event, 17, sign)
        await desk.reaches(company, Reason.ONLINE)
        pairing = desk.pairings[company]

    assert pairing is not None
    assert pairing.as_json()["phone_seen_at"] == machine.now.isoformat()


async def test_a_phone_seen_again_is_recorded_although_the_state_stays(
    machine: Machine, make_event: MakeEvent
) -> None:
    company = machine.add()
    machine.now = PAIRED_AT + timedelta(hours=5)

    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        assert "phone_seen_at" not in desk.pairings[company].as_json()  # type: ignore[union-attr]
        observer = machine.connection(company).observer
        milliseconds = int(machine.now.timestamp() * 1000)
        sign = make_event("hola", own=True, Timestamp=milliseconds)
        await asyncio.to_thread(observer.on_event, 17, sign)
        await desk.until(lambda: desk.states[company].count(Reason.ONLINE) == 2)

    assert "phone_seen_at" in desk.pairings[company].as_json()  # type: ignore[union-attr]
