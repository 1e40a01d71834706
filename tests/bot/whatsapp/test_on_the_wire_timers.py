"""Rows that wait for the client's own timers, and refusals that its process does not survive."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from bot.whatsapp.states import Reason
from bot.whatsapp.suspects import SUSPICIOUS
from tests.bot.whatsapp.drives import DRIVES
from tests.bot.whatsapp.proofs import ROWS, Proofs, proving
from tests.bot.whatsapp.street import QUICK, House, street
from tests.whatsapp_server.faults import failure
from tests.whatsapp_server.hosted import Hosted, hosting

pytestmark = [pytest.mark.whatsapp, pytest.mark.slow, pytest.mark.timeout(400)]

SLOW = [cause for cause in ROWS if cause in DRIVES and DRIVES[cause].slow]


@pytest.fixture(scope="module")
async def proofs(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Proofs]:
    """All of them at once."""
    async with proving(tmp_path_factory.mktemp("street"), SLOW) as running:
        yield running


@pytest.mark.parametrize("cause", SLOW)
async def test_a_row_of_the_table(proofs: Proofs, cause: str) -> None:
    await proofs[cause]


@pytest.mark.parametrize("number", [413, 414])
async def test_a_refusal_that_ends_the_clients_process_loses_nothing(
    tmp_path: Path, number: int
) -> None:
    """The client calls a function that only Messenger sets; no caller can prevent that."""
    async with street(tmp_path, ["one"]) as houses:
        house = houses["one"]
        await house.reaches(Reason.ONLINE)
        house.refuse(failure(number))
        assert await asyncio.wait_for(house.hosted.process.wait(), 30) == -signal.SIGABRT

        waiting = house.customer.write(house.owner, "hola", wa_id="3AD1")
        await house.server.deliver(house.owner, waiting)
        house.heal()
        await house.move()
        await house.hosted.until(event="message", wa_id="3AD1")
        await house.talks()


async def test_one_such_company_does_not_keep_the_others_down(tmp_path: Path) -> None:
    """It is begun last and alone, so that the others are online while it waits.

    Whoever was under way beside it each time is suspected too, once: it ends the process once more
    where it goes before them, and waits longer from then on.
    """
    async with street(tmp_path, ["refused", "ana", "luis"]) as houses:
        refused = houses.pop("refused")
        await refused.reaches(Reason.ONLINE)
        refused.refuse(failure(413))
        assert await asyncio.wait_for(refused.hosted.process.wait(), 30) == -signal.SIGABRT

        companies = [house.company for house in (refused, *houses.values())]
        words = {"PATIENCE": json.dumps(QUICK | {"suspect": 30})}
        environment = refused.server.environment | words
        for _ in range(SUSPICIOUS):
            async with hosting(tmp_path / "state", *companies, environment=environment) as hosted:
                assert await asyncio.wait_for(hosted.process.wait(), 60) == -signal.SIGABRT
        for _ in range(2):
            async with hosting(tmp_path / "state", *companies, environment=environment) as hosted:
                came_through = await all_talk(houses.values(), hosted)
                told = await hosted.until(
                    event="state", reason=Reason.FAULT, company=str(refused.company)
                )
            if came_through:
                break

    assert came_through
    assert "ended the whole process" in told["sentence"]


async def all_talk(houses: Iterable[House], hosted: Hosted) -> bool:
    """Whether all of them talk with their customers before the process ends."""

    async def talk(house: House) -> None:
        house.hosted, house.mark = hosted, 0
        await house.reaches(Reason.ONLINE, seconds=100)
        await house.talks()

    async def all_of_them() -> None:
        await asyncio.gather(*map(talk, houses))

    talking = asyncio.ensure_future(all_of_them())
    ending = asyncio.ensure_future(hosted.process.wait())
    _, pending = await asyncio.wait({talking, ending}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait({talking, ending})
    if talking.cancelled():
        return False
    await talking
    return True
