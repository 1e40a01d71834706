"""The owner takes over while the turn is in other hands, or in none: nothing comes late."""

import asyncio
import random
from contextlib import AsyncExitStack, suppress
from functools import partial

import pytest

from bot.whatsapp.files import CompanyFiles
from tests.fakes.openai_server import FakeOpenAI
from tests.system.process import Daemon, Home
from tests.system.takeover import Model, Shop, arrivals, is_silent
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
    """Either daemon may take a turn; both think until told, so it is seen at once which did."""
    async with FakeOpenAI() as fake, shop.daemon():
        await shop.connected()
        other = Model(fake)
        fake.always(other.act())
        async with shop.daemon(other_home(shop, fake), "--shard", "1"):
            taken = 0
            for _ in range(12 * tries):
                ana = shop.customer()
                shop.model.waits()
                other.waits()
                await shop.write(ana)
                if await first_asked(shop.model, other) is other:
                    since = await shop.owner_types(ana)
                    other.go_on.set()
                    await is_silent(shop, ana, since)
                    assert arrivals(ana) == []
                    taken += 1
                shop.model.go_on.set()
                if taken == tries:
                    break
            assert taken == tries


@pytest.mark.parametrize("tries", TRIES)
async def test_across_a_death_right_after_the_callback(shop: Shop, tries: int) -> None:
    """The daemon dies at once after the owner typed; the next takes the turn up, and dies too."""
    async with AsyncExitStack() as stack:
        daemon = await begun(shop, stack)
        for _ in range(tries):
            ana = shop.customer()
            shop.model.waits()
            await shop.write(ana)
            await asyncio.wait_for(shop.model.asked.wait(), 60)
            size = journal_size(shop)
            since = await shop.owner_types(ana)
            await shop.until(partial(is_kept, shop, ana, size))
            await asyncio.sleep(random.uniform(0, 0.05))
            await daemon.kill()
            shop.model.go_on.set()
            daemon = await begun(shop, stack)
            await shop.until(partial(shop.paused, ana))
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
        await asyncio.wait_for(shop.model.asked.wait(), 60)
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


async def begun(shop: Shop, stack: AsyncExitStack) -> Daemon:
    """A daemon whose session takes messages."""
    daemon = await stack.enter_async_context(shop.daemon())
    await shop.connected()
    return daemon


def journal_size(shop: Shop) -> int:
    """How many bytes the company's journal holds."""
    files = CompanyFiles(shop.home.state_dir, shop.company).journal.glob("*")
    return sum(file.stat().st_size for file in files)


async def is_kept(shop: Shop, customer: Customer, size: int) -> bool:
    """Whether the callback has returned: what was typed is on the disk, or further already."""
    with suppress(FileNotFoundError):  # Emptied under our eyes.
        return journal_size(shop) > size or await shop.paused(customer)
    return False


async def first_asked(*models: Model) -> Model:
    """Whose daemon took the turn."""
    waits = [asyncio.ensure_future(model.asked.wait()) for model in models]
    try:
        await asyncio.wait(waits, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return next(model for model in models if model.asked.is_set())
