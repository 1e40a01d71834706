"""All our clocks jump an hour while customers write: nothing is lost, doubled or silenced.

That of WhatsApp, which stamps the messages, is an hour away from ours all the time.
`tests/road/test_clock.py` proves what waits for a time, one by one.
"""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tests.faults.town import Town, open_town
from tests.system.warm import Warm

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

HOUR = 3600.0
RESUME_SECONDS = {False: 5.0, True: 8.0}
"""Until everybody who had written has an answer: after the jump, or after the death."""
DRAIN_SECONDS = 30.0


@pytest.fixture(scope="module")
async def town(nursery: Warm, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """One town, in which the rate limit is on, for a minute as usual."""
    limits = {"messages_per_minute": 100}
    async with open_town(tmp_path_factory.mktemp("town"), nursery, limits=limits) as opened:
        yield opened


@pytest.mark.parametrize("by", [-HOUR, HOUR], ids=["back", "forward"])
@pytest.mark.parametrize("killed", [False, True], ids=["running", "killed"])
async def test_an_hour_more_or_less_costs_no_customer_an_answer(
    town: Town, by: float, killed: bool
) -> None:
    town.phones.ahead = -by
    await town.start()
    crowd = town.crowd()
    async with crowd.writing():
        await asyncio.sleep(2.0)
        if killed:
            await town.kill()
        broken = time.monotonic()
        await town.jump(by)
        await town.start()
        well = broken if killed else time.monotonic()
        await asyncio.sleep(4.0)

    await crowd.answered(DRAIN_SECONDS)
    way = "forward" if by > 0 else "back"
    fault = f"clock an hour {way}{' while nothing runs' if killed else ''}"
    row = await town.verdict(fault, crowd, well)

    print(row.line(), crowd.count(), crowd.notices())
    assert (row.lost, row.doubled, row.disordered, row.wrong, row.unresolved) == (0, 0, 0, 0, 0)
    assert crowd.notices() == []
    assert crowd.recovery(well) <= RESUME_SECONDS[killed]
