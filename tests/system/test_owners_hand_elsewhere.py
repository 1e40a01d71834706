"""The owner takes over while the turn is in other hands, or in none: nothing comes late."""

import asyncio
import random

import pytest
from aiohttp import web

from tests.fakes.openai_server import Act, FakeOpenAI, says
from tests.system.process import Home
from tests.system.takeover import Shop, arrivals, is_silent
from tests.whatsapp_server.people import Customer

pytestmark = [pytest.mark.whatsapp, pytest.mark.slow, pytest.mark.timeout(900)]

TRIES = [
    pytest.param(2, id="2 tries"),
    pytest.param(20, id="20 tries"),
]


@pytest.fixture
async def shop(opened_shop: Shop) -> Shop:
    """The shop, with a model that answers at once; no daemon runs."""
    opened_shop.at_rest()
    return opened_shop


@pytest.mark.parametrize("tries", TRIES)
async def test_while_another_daemon_answers(shop: Shop, tries: int) -> None:
    async with FakeOpenAI() as other, shop.daemon():
        await shop.connected()
        elsewhere = asyncio.Event()
        goes_on = asyncio.Event()
        fresh = other_home(shop, other)
        other.always(meanwhile(elsewhere, goes_on))
        async with shop.daemon(fresh, "--shard", "1"):
            taken = 0
            for _ in range(12 * tries):
                ana = shop.customer()
                elsewhere.clear()
                goes_on.clear()
                await shop.write(ana)
                if not await happens(elsewhere, 2.5):
                    continue  # The session's own daemon took this turn.
                since = await shop.owner_types(ana)
                goes_on.set()
                await is_silent(shop, ana, since)
                assert arrivals(ana) == []
                taken += 1
                if taken == tries:
                    break
            assert taken == tries


@pytest.mark.parametrize("tries", TRIES)
async def test_across_a_death_right_after_the_callback(shop: Shop, tries: int) -> None:
    for _ in range(tries):
        await across_a_death(shop, shop.customer())


async def across_a_death(shop: Shop, ana: Customer) -> None:
    """The daemon dies at once after the owner typed, and another one takes the turn up."""
    shop.model.waits()
    async with shop.daemon() as daemon:
        await shop.connected()
        await shop.write(ana)
        await asyncio.wait_for(shop.model.asked.wait(), 20)
        since = await shop.owner_types(ana)
        await asyncio.sleep(random.uniform(0, 0.05))
        await daemon.kill()
    shop.model.go_on.set()
    async with shop.daemon():
        await shop.connected()
        await shop.until(lambda: shop.paused(ana))
        await is_silent(shop, ana, since)
    assert arrivals(ana) == []


async def test_what_the_owner_typed_while_nothing_ran_is_known_before_anything_is_said(
    shop: Shop,
) -> None:
    ana = shop.customer()
    shop.model.waits()
    async with shop.daemon() as daemon:
        await shop.connected()
        await shop.write(ana)
        await asyncio.wait_for(shop.model.asked.wait(), 20)
        await daemon.kill()
    shop.model.go_on.set()
    since = await shop.owner_types(ana)
    async with shop.daemon():
        await shop.until(lambda: shop.paused(ana))
        await is_silent(shop, ana, since)

    assert arrivals(ana) == []


def other_home(shop: Shop, fake: FakeOpenAI) -> Home:
    """The same state directory, and another model."""
    home = Home(shop.home.folder / "other")
    text = shop.home.config.read_text(encoding="utf-8").replace(shop.model.fake.url, fake.url)
    here = f'[daemon]\nstate_dir = "{shop.home.state_dir}"'
    home.config.write_text(text.replace("[daemon]", here), encoding="utf-8")
    home.state_dir = shop.home.state_dir
    return home


def meanwhile(asked: asyncio.Event, goes_on: asyncio.Event) -> Act:
    """A model that says when it was asked and waits."""

    async def act(request: web.Request) -> web.StreamResponse:
        asked.set()
        await goes_on.wait()
        return await says("¡Claro!")(request)

    return act


async def happens(event: asyncio.Event, seconds: float) -> bool:
    """Whether it does within so long."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
