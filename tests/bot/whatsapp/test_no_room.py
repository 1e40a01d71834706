"""New messages that find no room on the disk: the company is named, and they come when there is."""

import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.whatsapp.events import MESSAGE
from bot.whatsapp.journal import MOST_BYTES, Journal, Refusal
from bot.whatsapp.states import Reason
from tests.bot.whatsapp.conftest import MakeEvent
from tests.bot.whatsapp.test_sessions import Machine


@pytest.fixture
async def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process grows beyond a hundred bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def refused(machine: Machine) -> list[Refusal]:
    """Wait until a company's messages find no room; why."""
    assert machine.sessions is not None
    async with asyncio.timeout(5):
        while not (found := machine.sessions.refusals()):  # noqa: ASYNC110 - Another thread's.
            await asyncio.sleep(0.005)
    return list(found.values())


async def test_on_a_full_disk_they_wait_until_there_is_room(
    machine: Machine, make_event: MakeEvent
) -> None:
    company = machine.add()
    async with machine.running() as desk:
        await desk.reaches(company, Reason.ONLINE)
        on_event = machine.connection(company).observer.on_event
        with full_disk():
            keeping = asyncio.ensure_future(asyncio.to_thread(on_event, MESSAGE, make_event()))
            why = await refused(machine)
            assert desk.messages == []
        await keeping
        await desk.until(lambda: len(desk.messages) == 1)

        assert why == [Refusal.DISK]
        assert machine.sessions
        assert machine.sessions.refusals() == {}


async def test_behind_a_full_journal_they_wait_until_intake_has_taken_some(
    machine: Machine, make_event: MakeEvent
) -> None:
    company = machine.add()
    files = machine.files(company)
    journal = Journal(files.journal)
    journal.append(MESSAGE, make_event("uno", ID="A1"))
    journal.close()
    (segment,) = files.journal.glob("*.journal")
    os.truncate(segment, MOST_BYTES)  # As if there were much more in it.
    machine.desk.down = True
    async with machine.running() as desk:
        async with asyncio.timeout(5):
            while company not in machine.connector.made:  # noqa: ASYNC110 - It has no other word.
                await asyncio.sleep(0.005)
        on_event = machine.connection(company).observer.on_event
        keeping = asyncio.ensure_future(
            asyncio.to_thread(on_event, MESSAGE, make_event("dos", ID="A2"))
        )
        why = await refused(machine)
        desk.down = False
        await keeping
        await desk.until(lambda: len(desk.messages) == 2)

    assert why == [Refusal.BOUND]
    assert [one.text for one in desk.messages] == ["uno", "dos"]
