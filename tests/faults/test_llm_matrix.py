"""A language model that fails in every way while customers write: nobody sees it, all are told.

Deadlines and pauses are shortened. Nobody waits longer than the deadline and one turn (which may
take another deadline, where all slots of a company are taken) for an answer or a notice.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator

import pytest

from handlers import load_prompts
from tests.faults.misfortunes import FINAL, PASSING, now_and_then, provider_words
from tests.faults.town import Town, open_town
from tests.system.warm import Warm

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

DEADLINE_SECONDS = 3.0
MOST_SILENCE = 2 * DEADLINE_SECONDS + 2.0
"""And two seconds for the road."""
BREAKER_SECONDS = 45.0
"""As long as a breaker that opened twice is open, and one more try of every turn."""

LLM = {
    "deadline_seconds": DEADLINE_SECONDS,
    "retry_minutes": [0.1] * 7,
}


@pytest.fixture(scope="module")
async def town(nursery: Warm, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """One town for all tests of this file, each with customers of its own."""
    folder = tmp_path_factory.mktemp("town")
    async with open_town(folder, nursery, try_seconds=2.0, llm=LLM) as opened:
        yield opened


@pytest.fixture
async def fresh(town: Town) -> AsyncIterator[Town]:
    """The town with a daemon whose breaker knows nothing yet."""
    await town.start()
    yield town
    await town.stop()


@pytest.mark.parametrize("name", PASSING)
async def test_what_passes_is_waited_for_and_nobody_is_left_without_a_word(
    fresh: Town, name: str
) -> None:
    crowd = fresh.crowd()
    well = crowd.echo()
    async with crowd.writing():
        await asyncio.sleep(1.0)
        fresh.llm.always(PASSING[name])
        await asyncio.sleep(8.0)
        fresh.llm.always(well)
        since = time.monotonic()
        await asyncio.sleep(1.0)

    await crowd.answered(BREAKER_SECONDS)
    row = await fresh.verdict(f"LLM: {name}", crowd, since)

    print(row.line(), crowd.count(), round(crowd.longest_silence(), 1), set(crowd.notices()))
    assert provider_words(crowd.texts()) == []
    assert (row.lost, row.doubled, row.disordered, row.wrong, row.unresolved) == (0, 0, 0, 0, 0)
    assert crowd.longest_silence() <= MOST_SILENCE


@pytest.mark.parametrize("name", FINAL)
async def test_what_will_be_no_better_goes_to_a_person_and_the_customer_is_told(
    fresh: Town, name: str
) -> None:
    crowd = fresh.crowd(ends_with=_hand_overs())
    well = crowd.echo()
    fresh.llm.always(now_and_then([FINAL[name]], well, 0.2, random.Random(1)))
    async with crowd.writing():
        await asyncio.sleep(8.0)

    await crowd.answered(BREAKER_SECONDS)
    row = await fresh.verdict(f"LLM: {name}", crowd, None)

    print(row.line(), crowd.count(), round(crowd.longest_silence(), 1), set(crowd.notices()))
    assert set(crowd.notices()) <= _hand_overs()
    assert crowd.notices()
    assert provider_words(crowd.texts()) == []
    assert (row.lost, row.doubled, row.disordered, row.wrong, row.unresolved) == (0, 0, 0, 0, 0)
    assert crowd.longest_silence() <= MOST_SILENCE


async def test_all_of_it_at_once_and_now_and_then(fresh: Town) -> None:
    crowd = fresh.crowd(ends_with=_hand_overs())
    well = crowd.echo()
    acts = [*PASSING.values(), *FINAL.values()]
    fresh.llm.always(now_and_then(acts, well, 0.5, random.Random(2)))
    async with crowd.writing():
        await asyncio.sleep(20.0)
        fresh.llm.always(well)
        since = time.monotonic()

    await crowd.answered(BREAKER_SECONDS)
    row = await fresh.verdict("LLM: anything, every other time", crowd, since)

    print(row.line(), crowd.count(), round(crowd.longest_silence(), 1), set(crowd.notices()))
    assert provider_words(crowd.texts()) == []
    assert (row.lost, row.doubled, row.disordered, row.wrong, row.unresolved) == (0, 0, 0, 0, 0)
    assert crowd.longest_silence() <= MOST_SILENCE


def _hand_overs() -> set[str]:
    prompts = load_prompts()
    return {prompts.say(language).handover_after_failure for language in ("es", "en")}
