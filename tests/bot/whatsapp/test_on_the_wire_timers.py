"""Rows of the table that wait for the client's own timers: pings, and an ack that never comes."""

from collections.abc import AsyncIterator

import pytest

from tests.bot.whatsapp.drives import DRIVES
from tests.bot.whatsapp.proofs import ROWS, Proofs, proving

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
