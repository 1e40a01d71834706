"""Rows that wait for the client's own timers, and refusals that its process does not survive."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.whatsapp.states import Reason
from tests.bot.whatsapp.drives import DRIVES
from tests.bot.whatsapp.proofs import ROWS, Proofs, proving
from tests.bot.whatsapp.street import street
from tests.whatsapp_server.faults import failure

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
