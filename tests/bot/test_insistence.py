"""Telling a ledger that is away, in virtual time."""

import asyncio

import pytest

from bot.insistence import for_seconds, insist
from models.errors import RetryLater

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio(loop_scope="function")]


class Ledger:
    """Away until *back*, by the loop's clock; then it says that it has heard."""

    def __init__(self, back: float) -> None:
        self._back = back
        self.asked = 0

    async def write(self) -> str:
        self.asked += 1
        if asyncio.get_running_loop().time() < self._back:
            raise RetryLater("away")
        return "heard"


async def test_it_is_told_until_it_has_heard_and_soon_after_it_is_back() -> None:
    ledger = Ledger(back=20.2)

    assert await insist(ledger.write, "an answer", going=for_seconds(30)) == "heard"
    assert asyncio.get_running_loop().time() <= 20.7


async def test_it_is_not_told_for_ever() -> None:
    ledger = Ledger(back=1000)

    with pytest.raises(RetryLater):
        await insist(ledger.write, "an answer", going=for_seconds(30))
    assert 30 <= asyncio.get_running_loop().time() <= 30.5


async def test_where_it_is_too_late_from_the_start_it_is_told_once() -> None:
    ledger = Ledger(back=1000)

    with pytest.raises(RetryLater):
        await insist(ledger.write, "an answer", going=lambda: False)
    assert ledger.asked == 1
