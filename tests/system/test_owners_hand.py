"""The owner takes over at every moment of a turn, through the real client: nothing comes late."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from tests.system.takeover import LONG, PACE, Shop, arrivals, is_silent

pytestmark = [pytest.mark.whatsapp, pytest.mark.timeout(300)]

TRIES = [pytest.param(2, id="2 tries"), pytest.param(20, id="20 tries", marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
async def running_shop(opened_shop: Shop) -> AsyncIterator[Shop]:
    """One shop and one daemon for this file."""
    async with opened_shop.daemon():
        await opened_shop.connected()
        yield opened_shop


@pytest.fixture
async def shop(running_shop: Shop) -> Shop:
    """The shop, with a model that answers at once."""
    running_shop.at_rest()
    return running_shop


@pytest.mark.parametrize("tries", TRIES)
async def test_while_the_model_thinks(shop: Shop, tries: int) -> None:
    for _ in range(tries):
        ana = shop.customer()
        shop.model.waits()
        await shop.write(ana)
        await asyncio.wait_for(shop.model.asked.wait(), 50)
        await asyncio.sleep(random.uniform(0, 0.3))
        since = await shop.owner_types(ana)
        shop.model.go_on.set()
        await is_silent(shop, ana, since)
        assert arrivals(ana) == []


@pytest.mark.parametrize("tries", TRIES)
async def test_when_typing_has_just_been_shown(shop: Shop, tries: int) -> None:
    for _ in range(tries):
        ana = shop.customer()
        await shop.write(ana)
        await shop.typed(ana)
        since = await shop.owner_types(ana)
        await is_silent(shop, ana, since)
        assert arrivals(ana) == []


@pytest.mark.parametrize("tries", TRIES)
async def test_at_any_moment_of_the_pace(shop: Shop, tries: int) -> None:
    for _ in range(tries):
        ana = shop.customer()
        await shop.write(ana)
        await shop.typed(ana)
        await asyncio.sleep(random.uniform(0.1, PACE))
        since = await shop.owner_types(ana)
        await is_silent(shop, ana, since)


@pytest.mark.parametrize("tries", TRIES)
async def test_between_the_parts_of_a_reply(shop: Shop, tries: int) -> None:
    shop.model.text = LONG
    for _ in range(tries):
        ana = shop.customer()
        await shop.write(ana)
        await asyncio.wait_for(ana.inbox.get(), 50)
        await asyncio.sleep(random.uniform(0, 0.7 * PACE))
        since = await shop.owner_types(ana)
        await is_silent(shop, ana, since)
        assert len(arrivals(ana)) < 3
        assert "stopped" in dict(await shop.rows(ana, "outbox"))
