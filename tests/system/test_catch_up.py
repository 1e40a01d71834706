"""A backlog through the real client: one reply for each customer, and memory stays flat."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from bot.whatsapp.files import CompanyFiles
from tests.system.takeover import Shop, open_shop
from tests.whatsapp_server.people import Customer

pytestmark = [pytest.mark.whatsapp, pytest.mark.slow, pytest.mark.timeout(300)]

SIZES = [
    pytest.param(10, 10, id="a hundred messages of ten customers"),
    pytest.param(50, 20, id="a thousand of fifty"),
]
MOST_GROWTH = 60 * 2**20
"""What the client and the stores keep for fifty new chats, and nothing for each message."""


@pytest.fixture(scope="module")
async def shop(
    module_database: str,
    module_history: tuple[str, Callable[[], list[dict[str, Any]]]],
    stores: dict[str, str],
    slot: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """A shop without a pace."""
    redis = f"unix://{urlsplit(stores['valkey']).path}?db={slot}"
    urls = {"postgres": module_database, "mongo": stores["mongod"], "redis": redis}
    urls["mongo_database"] = module_history[0]
    folder = tmp_path_factory.mktemp("shop")
    async with open_shop(folder, urls, pace_longest_seconds=0.0) as shop:
        yield shop


@pytest.mark.parametrize(("customers", "messages"), SIZES)
async def test_each_customer_of_a_backlog_gets_one_reply(
    shop: Shop, customers: int, messages: int
) -> None:
    people = [shop.customer() for _ in range(customers)]
    async with shop.daemon():
        await shop.connected()
        first = shop.customer()
        await shop.write(first)
        await asyncio.wait_for(first.inbox.get(), 50)
        before = await memory(shop)
    files = CompanyFiles(shop.home.state_dir, shop.company)
    note = files.read_note()
    assert note is not None
    files.write_note(replace(note, paired_at=note.paired_at - timedelta(days=1)))
    written = time.time() - 3600
    for number in range(messages):
        for place, customer in enumerate(people):
            at = written + 60 * number + place
            await shop.write(customer, f"mensaje {number} de {messages}", at=at)

    async with shop.daemon():
        await asyncio.gather(*(answered(customer, messages) for customer in people))
        await asyncio.sleep(3.0)
        after = await memory(shop)

    assert [customer.inbox.qsize() for customer in people] == [0] * customers
    counts = await shop.look.fetch(
        "SELECT count(*) AS messages, count(DISTINCT turn_id) AS turns FROM inbox"
        " WHERE content LIKE $1 AND state = 'answered' GROUP BY customer_id",
        f"mensaje % de {messages}",
    )
    assert [(row["messages"], row["turns"]) for row in counts] == [(messages, 1)] * customers
    assert after - before < MOST_GROWTH


async def answered(customer: Customer, messages: int) -> None:
    """The customer has a reply, which quotes the newest message."""
    received = await asyncio.wait_for(customer.inbox.get(), 200)
    context = received.message.extendedTextMessage.contextInfo
    assert context.quotedMessage.conversation == f"mensaje {messages - 1} de {messages}"


async def memory(shop: Shop) -> int:
    """What the daemon holds, in bytes."""
    _, text = await shop.home.get("/metrics")
    lines = [line for line in text.splitlines() if line.startswith("process_resident_memory")]
    return int(float(lines[0].split()[-1]))
