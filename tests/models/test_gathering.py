"""What is asked in the same moment goes out together, and each hears its own answer."""

import asyncio
from collections.abc import Sequence

import pytest

from models.errors import GiveUp, RetryLater
from models.gathering import Gathering


async def test_questions_of_one_moment_are_asked_at_once_and_each_has_its_own_answer() -> None:
    calls: list[list[int]] = []

    async def double(numbers: Sequence[int]) -> list[int | Exception]:
        calls.append(list(numbers))
        await asyncio.sleep(0.01)
        return [2 * number if number else GiveUp("nothing") for number in numbers]

    gathering = Gathering(double)
    first, bad, third = await asyncio.gather(
        gathering.ask(1), gathering.ask(0), gathering.ask(3), return_exceptions=True
    )
    later = await gathering.ask(4)

    assert (first, third, later) == (2, 6, 8)
    assert isinstance(bad, GiveUp)
    assert calls == [[1, 0, 3], [4]]


async def test_a_failure_of_the_whole_is_everybodys() -> None:
    async def away(_: Sequence[int]) -> list[int | Exception]:
        raise RetryLater("away")

    gathering = Gathering(away)
    heard = await asyncio.gather(gathering.ask(1), gathering.ask(2), return_exceptions=True)

    assert [str(error) for error in heard] == ["away", "away"]


async def test_who_asked_for_all_may_be_cancelled_and_nobody_waits_for_ever() -> None:
    async def slow(numbers: Sequence[int]) -> list[int | Exception]:
        await asyncio.sleep(0.05)
        return list(numbers)

    gathering = Gathering(slow)
    for before in (True, False):
        leader, other = (asyncio.ensure_future(gathering.ask(number)) for number in (1, 2))
        await asyncio.sleep(0 if before else 0.01)
        leader.cancel()
        with pytest.raises(RetryLater):
            await asyncio.wait_for(other, 1)

    assert await gathering.ask(3) == 3
