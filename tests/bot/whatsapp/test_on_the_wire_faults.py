"""Each row of the table of what WhatsApp can do, caused by the server and seen by the real client.

All companies live in one process and all rows happen at once; a test waits for its own.
"""

from collections.abc import AsyncIterator

import pytest

from tests.bot.whatsapp.drives import DRIVES
from tests.bot.whatsapp.proofs import IN_A_HURRY, ROWS, Proofs, proving

pytestmark = [pytest.mark.whatsapp, pytest.mark.timeout(240)]

QUICK = [cause for cause in ROWS if cause not in DRIVES or not DRIVES[cause].slow]
# Not "session opened elsewhere": a client that misses that word is right to come back.
HURRIED = [
    f"{cause}{IN_A_HURRY}"
    for cause in ("device removed on the phone", "login failure 402, code 101", "login failure 418")
]


def test_every_cause_has_a_drive_and_every_drive_a_cause() -> None:
    assert set(DRIVES) == set(ROWS)


@pytest.fixture(scope="module")
async def proofs(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Proofs]:
    """All of them at once."""
    async with proving(tmp_path_factory.mktemp("street"), QUICK + HURRIED) as running:
        yield running


@pytest.mark.parametrize("cause", QUICK + HURRIED)
async def test_a_row_of_the_table(proofs: Proofs, cause: str) -> None:
    await proofs[cause]
