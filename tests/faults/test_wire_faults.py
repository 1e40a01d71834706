"""WhatsApp broken in each way while customers write, through the real client."""

import asyncio
import itertools
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import UUID

import pytest

from tests.faults.client_fleet import ClientFleet, LoopbackPhones, open_client_fleet
from tests.faults.crowd import Crowd
from tests.faults.ground import open_ground
from tests.faults.tally import Row
from tests.faults.town import verdict
from tests.whatsapp_server.faults import Faults
from tests.whatsapp_server.library import client_library

pytestmark = [pytest.mark.faults, pytest.mark.whatsapp, pytest.mark.timeout(300)]

EACH = 3
DRAIN_SECONDS = 60.0
ACK_SECONDS = 75.0
"""So long the client itself waits for an ack, and an account sends nothing meanwhile."""
RECOVERY_SECONDS = 15.0
"""Until everybody who had written has an answer, with the time that a session takes to be back."""
WAITING = 1000
_seeds = itertools.count(6001)


class Twice(LoopbackPhones):
    """Every message comes twice: under one id, sealed anew."""

    def write(self, company: UUID, phone: str, text: str, wa_id: str) -> None:
        """A customer writes."""
        for _ in range(2):
            super().write(company, phone, text, wa_id)


Deed = Callable[[ClientFleet], Awaitable[None]]


async def cut_before(fleet: ClientFleet) -> None:
    """The line breaks instead of taking a send; the client tries that again by itself."""
    for _ in range(3):
        for owner in fleet.owners.values():
            owner.faults.cuts_before = 1
        await _until(lambda: all(not owner.faults.cuts_before for owner in fleet.owners.values()))
        await asyncio.sleep(3.0)


async def cut_before_each_try(fleet: ClientFleet) -> None:
    """The same until the client gives up: nobody can tell whether the send arrived."""
    for owner in fleet.owners.values():
        owner.faults.cuts_before = 4
    await _until(lambda: all(not owner.faults.cuts_before for owner in fleet.owners.values()))


async def cut_after(fleet: ClientFleet) -> None:
    """The line breaks when a reply has reached the customer, instead of an ack."""
    for _ in range(3):
        for owner in fleet.owners.values():
            owner.faults.cuts_after = 1
        await _until(lambda: all(not owner.faults.cuts_after for owner in fleet.owners.values()))
        await asyncio.sleep(3.0)


async def cut_over_and_over(fleet: ClientFleet) -> None:
    """Whatever is under way."""
    for _ in range(6):
        await asyncio.sleep(1.5)
        for line in list(fleet.server.online.values()):
            line.drop()


async def receipts_lost(fleet: ClientFleet) -> None:
    """All that was delivered meanwhile is delivered again."""
    for owner in fleet.owners.values():
        owner.faults.loses_receipts = True
    await asyncio.sleep(4.0)
    for line in list(fleet.server.online.values()):
        line.drop()
    for owner in fleet.owners.values():
        owner.faults.loses_receipts = False


async def acks_withheld(fleet: ClientFleet) -> None:
    """For a moment; whatever was sent in it waits as long as the client does."""
    for owner in fleet.owners.values():
        owner.faults.withholds_acks = True
    await asyncio.sleep(3.0)
    for owner in fleet.owners.values():
        owner.faults.withholds_acks = False


async def slow(fleet: ClientFleet) -> None:
    """The server takes its time for each stanza."""
    for owner in fleet.owners.values():
        owner.faults.delay = 0.5
    await asyncio.sleep(8.0)
    for owner in fleet.owners.values():
        owner.faults.delay = 0.0


DEEDS: dict[str, Deed] = {
    "dropped before a send was taken": cut_before,
    "dropped before each try of a send": cut_before_each_try,
    "dropped between a send and its ack": cut_after,
    "dropped over and over": cut_over_and_over,
    "receipts lost, all delivered again": receipts_lost,
    "slow": slow,
    "acks withheld": acks_withheld,
}


UNRESOLVED = {"dropped before each try of a send", "acks withheld"}
"""After these the client itself cannot tell what arrived, and takes so long to give up."""


@pytest.fixture(scope="module")
async def fleet() -> AsyncIterator[ClientFleet]:
    """Companies with the real client, in one daemon for all tests of this file."""
    library = client_library()
    assert library is not None
    with tempfile.TemporaryDirectory(prefix="lyrox-faults-") as folder:
        async with (
            open_ground() as ground,
            open_client_fleet(Path(folder), ground, library) as opened,
        ):
            yield opened


@pytest.fixture
async def running(fleet: ClientFleet) -> ClientFleet:
    """With a daemon that is connected, and a server in order."""
    for owner in fleet.owners.values():
        owner.faults = Faults()
    await fleet.start()
    return fleet


@pytest.mark.parametrize("deed", DEEDS)
async def test_a_broken_line_costs_no_customer_an_answer(running: ClientFleet, deed: str) -> None:
    crowd = crowd_of(running)
    async with crowd.writing(pause=1.0, patience=4.0):
        await asyncio.sleep(2.0)
        await DEEDS[deed](running)
        well = time.monotonic()
        await asyncio.sleep(2.0)

    await crowd.answered(DRAIN_SECONDS + ACK_SECONDS)
    row = await told(running, f"WhatsApp {deed}", crowd, well)

    assert (row.lost, row.doubled, row.disordered, row.wrong) == (0, 0, 0, 0)
    assert row.unresolved == 0 or deed in UNRESOLVED
    assert crowd.recovery(well) <= RECOVERY_SECONDS + (ACK_SECONDS if deed in UNRESOLVED else 0.0)


async def test_what_comes_twice_is_answered_once(running: ClientFleet) -> None:
    phones = Twice(running.phones.folder, running.server, running.owners)
    crowd = crowd_of(running, phones)
    async with crowd.writing(pause=1.0):
        await asyncio.sleep(8.0)

    await crowd.answered(DRAIN_SECONDS)
    row = await told(running, "WhatsApp delivers everything twice", crowd, None)

    assert (row.lost, row.doubled, row.disordered, row.wrong) == (0, 0, 0, 0)


async def test_a_thousand_messages_that_waited_are_answered_once(running: ClientFleet) -> None:
    each = 5
    crowd = crowd_of(running, each=each)
    await running.stop()
    for _ in range(WAITING // len(crowd.people)):
        for person in crowd.people:
            crowd.write(person)
    well = time.monotonic()

    await running.start()
    await crowd.answered(DRAIN_SECONDS)
    row = await told(running, "1,000 messages waited at WhatsApp", crowd, well)

    assert crowd.count() == WAITING
    assert (row.lost, row.doubled, row.disordered, row.wrong) == (0, 0, 0, 0)
    assert [len(person.read) for person in crowd.people] == [1] * len(crowd.people)


def crowd_of(
    fleet: ClientFleet, phones: LoopbackPhones | None = None, *, each: int = EACH
) -> Crowd:
    """New customers, whom the model answers from now on."""
    crowd = Crowd(phones or fleet.phones, fleet.companies, each=each, seed=next(_seeds))
    fleet.llm.always(crowd.echo(seconds=0.2))
    return crowd


async def told(fleet: ClientFleet, fault: str, crowd: Crowd, well: float | None) -> Row:
    """The row of this try, which also goes into the table."""
    row = await verdict(fleet.look, f"{fault} (real client)", crowd, well)
    print(row.line(), crowd.count(), crowd.notices())
    return row


async def _until(claim: Callable[[], bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not claim():  # noqa: ASYNC110 - The server is in this process, the client is not.
            await asyncio.sleep(0.05)
