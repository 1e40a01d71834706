"""What a company that is not hosted any more has left on the disk is taken in all the same."""

import asyncio
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from bot.whatsapp.aside import Order
from bot.whatsapp.events import MESSAGE
from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.host import pause_before
from bot.whatsapp.journal import Journal
from bot.whatsapp.locks import holding
from bot.whatsapp.states import Reason
from tests.bot.whatsapp.conftest import MakeEvent
from tests.bot.whatsapp.test_sessions import Machine


@pytest.fixture
async def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def leave(machine: Machine, company: UUID, *events: bytes) -> None:
    """As a session leaves it that ended while the store was away."""
    files = machine.files(company)
    files.prepare()
    journal = Journal(files.journal)
    for event in events:
        journal.append(MESSAGE, event)
    journal.close()


async def test_messages_of_a_company_that_is_not_wanted_are_taken_in_once_and_in_order(
    machine: Machine, make_event: MakeEvent
) -> None:
    company = uuid4()
    leave(machine, company, *(make_event(f"mensaje {i}", ID=f"A{i}") for i in range(3)))

    async with machine.running() as desk:
        await desk.until(lambda: len(desk.messages) == 3)
    async with machine.running() as desk:
        await asyncio.sleep(0.3)

    assert [one.text for one in desk.messages] == ["mensaje 0", "mensaje 1", "mensaje 2"]
    assert {one.company_id for one in desk.messages} == {company}
    assert machine.connector.made == {}


async def test_so_are_those_of_a_phone_that_logged_out(
    machine: Machine, make_event: MakeEvent
) -> None:
    company = machine.add(number=None)
    leave(machine, company, make_event("hola"))

    async with machine.running() as desk:
        await desk.reaches(company, Reason.NEVER_PAIRED)
        await desk.until(lambda: len(desk.messages) == 1)


async def test_a_company_that_somebody_holds_is_left_to_them(
    machine: Machine, make_event: MakeEvent
) -> None:
    company = uuid4()
    leave(machine, company, make_event("hola"))

    with holding(machine.files(company).lock):
        async with machine.running() as desk:
            await asyncio.sleep(0.3)
            assert desk.messages == []


async def test_a_session_that_begins_takes_in_its_own(
    machine: Machine, make_event: MakeEvent
) -> None:
    company = machine.add()
    leave(machine, company, make_event("hola"))

    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        assert len(desk.messages) == 1

    assert Reason.FILE_HELD not in desk.states[company]


async def test_a_store_that_is_away_is_asked_again(machine: Machine, make_event: MakeEvent) -> None:
    company = uuid4()
    leave(machine, company, make_event("hola"))
    machine.desk.down = True

    async with machine.running() as desk:
        await asyncio.sleep(0.3)
        desk.down = False
        await desk.until(lambda: len(desk.messages) == 1)


async def test_a_journal_that_cannot_be_read_holds_up_no_other(
    machine: Machine, make_event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    companies = sorted([uuid4(), uuid4()], key=str)
    for company in companies:
        leave(machine, company, make_event("hola"))
    (machine.files(companies[0]).journal / "9.journal").mkdir()

    async with machine.running() as desk:
        await desk.until(lambda: len(desk.messages) == 1)
        await asyncio.sleep(0.3)

    assert desk.messages[0].company_id == companies[1]
    assert caplog.text.count("a journal cannot be read") == 1


def forbid_the_journal(files: CompanyFiles) -> None:
    """As far as a test may that runs as root: the place of the folder is taken."""
    shutil.rmtree(files.journal)
    files.journal.touch()


def forbid_the_lock(files: CompanyFiles) -> None:
    files.lock.mkdir()


def add_copies(files: CompanyFiles) -> None:
    """Somebody kept a copy of each file beside it, before trying something."""
    journal = Journal(files.journal)
    journal.append(MESSAGE, b"broken")
    entries = list(journal.entries())
    for entry in entries:
        journal.aside.keep(entry, why="ZeroDivisionError", at=datetime.now(UTC))
    journal.close()
    for file in [*files.journal.glob("*.journal"), *files.journal.glob("*/*.json")]:
        words = file.read_bytes().replace(version("lyrox").encode(), b"older")
        file.write_bytes(words)  # Each is to be tried again by this program.
        file.with_stem("copy of " + file.stem).write_bytes(words)


@pytest.mark.parametrize("spoil", [forbid_the_journal, forbid_the_lock, add_copies])
async def test_files_of_one_company_that_cannot_be_used_end_nothing(
    machine: Machine,
    make_event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[CompanyFiles], None],
) -> None:
    spoiled, hosted = uuid4(), machine.add()
    leave(machine, spoiled, make_event("hola"))
    spoil(machine.files(spoiled))

    async with machine.running() as desk:
        await desk.reaches(hosted, Reason.ONLINE)
        later = uuid4()
        leave(machine, later, make_event("sigo"))
        await desk.until(lambda: later in {one.company_id for one in desk.messages})

    assert isinstance(machine.ended, asyncio.CancelledError)
    assert caplog.text.count("a journal cannot be read") <= 1


async def test_so_is_what_was_set_aside_once_somebody_orders_it_back(
    machine: Machine, make_event: MakeEvent
) -> None:
    company = uuid4()
    leave(machine, company, make_event("hola"))
    journal = Journal(machine.files(company).journal)
    (entry,) = journal.entries()
    journal.aside.keep(entry, why="ZeroDivisionError", at=machine.now)
    journal.release(entry.seq)
    journal.close()

    async with machine.running() as desk:
        await asyncio.sleep(0.3)
        assert desk.messages == []
        journal.aside.order(Order.RETRY)
        await desk.until(lambda: len(desk.messages) == 1)

    assert journal.aside.events() == []


def test_messages_move_on_within_a_second_after_the_longest_outage() -> None:
    pauses = [pause_before(attempt) for attempt in range(100)]

    assert max(pauses) <= 1.0
    assert min(pauses) > 0.3  # And nobody knocks without a rest.
