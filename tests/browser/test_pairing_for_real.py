"""From a link to a connected phone: the real daemon, the real client, a real browser."""

import asyncio
import re
import signal
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from bot.whatsapp.qr import qr_svg
from tests.browser.chromium import Browser
from tests.conftest import MakeDatabase
from tests.system.process import running
from tests.system.town import Town, open_town
from tests.whatsapp_server.people import Owner

pytestmark = [pytest.mark.browser, pytest.mark.whatsapp, pytest.mark.timeout(180)]

FASTEST, ACTIONS = 60.0, 3
"""What a link to a connected phone may take: seconds, and actions of the owner's."""


@pytest.fixture(scope="module")
async def town(
    make_database: MakeDatabase,
    template: str,
    stores: dict[str, str],
    slot: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Town]:
    """The daemon of all tests here."""
    async with make_database(template) as url:
        urls = {
            "postgres": url,
            "redis": f"unix://{urlsplit(stores['valkey']).path}?db={slot}",
            "mongo": stores["mongod"],
            "mongo_database": f"browser_{slot}",
        }
        async with open_town(tmp_path_factory.mktemp("town"), urls) as town:
            yield town


async def scan(town: Town, browser: Browser, company: UUID, phone: Owner) -> None:
    """The phone's camera sees what the page shows."""
    code = await town.code(company)
    await browser.until_drawn(qr_path(code))
    await town.server.scan(phone, code)


def qr_path(code: str) -> str:
    """The squares of a code as the page draws them."""
    (path,) = re.findall(r'stroke="#000" d="([^"]+)"', qr_svg(code))
    return str(path)


async def test_from_a_link_to_a_connected_phone_in_a_minute_and_three_actions(
    browser: Browser, town: Town
) -> None:
    company, slug, phone = await town.company()
    link = await town.link(slug)
    began = time.monotonic()

    await browser.open(link)  # The first action.
    await browser.step("scan", seconds=30)
    await scan(town, browser, company, phone)  # The second and last one.
    text = await browser.step("connected", seconds=40)

    took = time.monotonic() - began
    print(f"from link to connected: 2 actions, {took:.1f} s")
    assert f"connected as +{phone.number}" in text
    assert took < FASTEST
    assert await town.state(slug) == "online"
    await browser.open(link)
    assert "This link does not work" in await browser.step("dead")


async def test_by_letters_it_is_three_actions_too_on_the_very_phone(
    phone: Browser, town: Town
) -> None:
    _, slug, owner = await town.company()
    link = await town.link(slug)
    began = time.monotonic()

    await phone.open(f"{link}/letters")
    await phone.type("#phone", f"+{owner.number}")
    await phone.click("button")
    letters = await phone.until(".letters", seconds=30)
    await town.server.type_letters(owner, letters)
    text = await phone.step("connected", seconds=40)

    print(f"from link to connected by letters: {time.monotonic() - began:.1f} s")
    assert f"connected as +{owner.number}" in text


async def test_an_account_with_a_passkey_is_told_what_it_can_do_and_so_is_who_joined(
    browser: Browser, town: Town
) -> None:
    company, slug, phone = await town.company()
    phone.passkey = True
    await browser.open(await town.link(slug))
    await browser.step("scan", seconds=30)
    async with town.joined(slug) as terminal:
        code = (await terminal.until("qr"))["code"]
        await browser.until_drawn(qr_path(code))
        await scan(town, browser, company, phone)

        text = await browser.step("failed-passkey_asked", seconds=30)
        assert (await terminal.until("failed"))["reason"] == "passkey_asked"

    assert "You did nothing wrong" in text
    assert phone.devices == {}


async def test_a_number_of_another_company_is_refused_and_unlinked(
    browser: Browser, town: Town
) -> None:
    company, first, phone = await town.company()
    await browser.open(await town.link(first))
    await browser.step("scan", seconds=30)
    await scan(town, browser, company, phone)
    await browser.step("connected", seconds=40)
    company, second, _ = await town.company()
    link = await town.link(second)
    await browser.open(link)
    await browser.step("scan", seconds=30)
    await scan(town, browser, company, phone)

    text = await browser.step("failed-number_in_use", seconds=30)

    assert "That number belongs to another company" in text
    assert list(phone.devices) == [1]
    assert await town.state(first) == "online"
    await browser.click("button")  # The link has linked nobody, so it still counts.
    await browser.step("scan", seconds=30)


async def test_another_number_is_connected_once_the_owner_says_that_it_is_right(
    browser: Browser, town: Town
) -> None:
    company, slug, former = await town.company()
    await browser.open(await town.link(slug))
    await browser.step("scan", seconds=30)
    await scan(town, browser, company, former)
    await browser.step("connected", seconds=40)
    await town.server.unlink(former)
    async with asyncio.timeout(20):
        while await town.state(slug) != "logged_out":  # noqa: ASYNC110 - Another process's.
            await asyncio.sleep(0.2)
    new = town.phone()
    await browser.open(await town.link(slug))
    await browser.step("scan", seconds=30)
    await scan(town, browser, company, new)

    asked = await browser.step("confirm", seconds=30)
    assert f"You linked +{new.number}; before it was +{former.number}" in asked
    await asyncio.sleep(4)
    assert await town.state(slug) == "pairing"  # Nobody is answered from there yet.
    await browser.click("form:has([value=keep]) button")

    assert f"connected as +{new.number}" in await browser.step("connected", seconds=40)


async def test_a_daemon_that_is_killed_and_started_again_costs_no_more_than_a_new_code(
    browser: Browser, town: Town
) -> None:
    company, slug, phone = await town.company()
    await browser.open(await town.link(slug))
    await browser.step("scan", seconds=30)
    first = await browser.run("return document.querySelector('figure path[stroke]').outerHTML")

    await town.daemon.kill()
    await browser.until("#lost")
    async with running(town.home, env=town.server.environment) as town.daemon:
        await browser.step("preparing", seconds=40)
        await browser.step("scan", seconds=30)
        await scan(town, browser, company, phone)
        second = await browser.run("return document.querySelector('figure path')?.outerHTML")
        text = await browser.step("connected", seconds=40)

        assert first != second
        assert f"connected as +{phone.number}" in text
        assert await town.daemon.stop(signal.SIGTERM) == 0
