"""A company that wants it waits for customers who are typing, by the real daemon and client."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.system.shop import Shop, running_shop
from tests.whatsapp_server.people import Customer
from tests.whatsapp_server.signs import typing

pytestmark = [pytest.mark.whatsapp, pytest.mark.slow]

QUIET = 1.5
PATIENT = {
    "quiet_seconds": QUIET,
    "longest_seconds": 30.0,
    "pace_seconds_per_character": 0.0,
    "pace_longest_seconds": 0.0,
}


@pytest.fixture
async def shop(store_urls: dict[str, str], tmp_path: Path) -> AsyncIterator[Shop]:
    async with running_shop(
        tmp_path, store_urls, facts={"typing_aware": True}, greets=True, conversation=PATIENT
    ) as shop:
        yield shop


async def test_who_is_typing_is_waited_for_while_the_company_wants_it(shop: Shop) -> None:
    ana, eva = shop.customer(), shop.customer()
    await until_online(shop)
    await shop.deliver(shop.text(ana, "3AE001"))
    await shop.server.tell(shop.owner, typing(ana))
    await shop.until(ana, 1)
    await asyncio.sleep(2 * QUIET)
    waited = await shop.ledger(ana)
    await shop.server.tell(shop.owner, typing(ana, on=False))
    await shop.says_once(ana)

    logins, shows = shop.owner.logins, online(shop)
    set_back = await shop.home.lyrox("company", "set", "panaderia", "--typing-aware", "no")
    assert set_back.code == 0, set_back
    await shop.comes_back(logins)
    await type_on(shop, eva)
    await shop.says_once(eva)

    assert waited == {"inbox": ["pending"], "outbox": []}
    assert online(shop) == shows


async def type_on(shop: Shop, customer: Customer) -> None:
    """Somebody writes, and goes on typing."""
    await shop.deliver(shop.text(customer, "3AE002"))
    await shop.server.tell(shop.owner, typing(customer))


async def until_online(shop: Shop) -> None:
    """Wait until the account shows itself online: only then WhatsApp says who is typing."""
    async with asyncio.timeout(20):
        while not online(shop):  # noqa: ASYNC110 - What the server has seen.
            await asyncio.sleep(0.05)


def online(shop: Shop) -> int:
    """How often the account has shown itself online."""
    return sum(
        node.tag == "presence" and node.get("type") == "available" for node in shop.server.seen
    )
