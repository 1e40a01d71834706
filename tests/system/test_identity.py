"""The real daemon and the real client: one person is one customer, whatever address shows."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.fakes.openai_server import FakeOpenAI
from tests.system.shop import running_shop
from tests.whatsapp_server.people import Customer, Owner, Received
from tests.whatsapp_server.server import WhatsAppServer

pytestmark = pytest.mark.whatsapp

_numbers = count(1)


@dataclass
class Shop:
    """A company with a paired phone, hosted by a daemon, and what its model is asked."""

    server: WhatsAppServer
    company: UUID
    owner: Owner
    look: asyncpg.Connection
    llm: FakeOpenAI
    documents: Callable[[], list[dict[str, Any]]]

    def stranger(self) -> Customer:
        """Somebody whose number is hidden."""
        return self.server.add_customer(None, f"777{next(_numbers):09}", "Ana")

    async def asks(self, customer: Customer, text: str) -> Received:
        """The customer writes, and gets one reply."""
        wa_id = f"3AE{next(_numbers):05}"
        await self.server.deliver(self.owner, customer.write(self.owner, text, wa_id=wa_id))
        received = await asyncio.wait_for(customer.inbox.get(), 50)
        await asyncio.sleep(0.5)
        assert customer.inbox.empty()
        return received

    def asked(self) -> str:
        """All that the model was told for the newest reply."""
        return str(self.llm.requests[-1]["messages"])

    async def customers(self, customer: Customer) -> list[Any]:
        """The rows that stand for somebody."""
        query = "SELECT * FROM customers WHERE whatsapp_lid = $1 OR phone = $2"
        return list(await self.look.fetch(query, customer.lid, f"+{customer.number}"))

    async def said(self, customer: Customer, lines: int) -> list[str]:
        """What the customer wrote, as the one document has it once it holds so many lines."""
        async with asyncio.timeout(40):
            while True:
                found = [one for one in self.documents() if self._is(customer, one)]
                if len(found) == 1 and found[0]["messageCount"] == lines:
                    said = found[0]["messages"]
                    return [line["content"] for line in said if line["sender"] == "customer"]
                await asyncio.sleep(0.1)

    def _is(self, customer: Customer, document: dict[str, Any]) -> bool:
        return document["customerPhone"] in (f"+{customer.number}", f"lid:{customer.lid}")


@pytest.fixture(scope="module")
async def shop(
    module_urls: dict[str, str],
    module_history: tuple[str, Callable[[], list[dict[str, Any]]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Shop]:
    """One shop and one daemon for this file."""
    folder = tmp_path_factory.mktemp("shop")
    async with FakeOpenAI() as llm:
        target = {"name": "fake", "model": "m", "base_url": llm.url, "api_key": ""}
        async with running_shop(folder, module_urls, llm={"targets": [target]}) as run:
            yield Shop(run.server, run.company, run.owner, run.look, llm, module_history[1])


async def test_a_hidden_number_that_shows_in_mid_conversation_goes_on_in_one_conversation(
    shop: Shop,
) -> None:
    ana = shop.stranger()
    first = await shop.asks(ana, "busco pan de higo")
    [before] = await shop.customers(ana)

    shop.server.reveal(ana, f"52155{next(_numbers):08}")
    second = await shop.asks(ana, "¿y de nuez?")

    [after] = await shop.customers(ana)
    assert (before["phone"], after["phone"]) == (f"lid:{ana.lid}", f"+{ana.number}")
    assert (after["id"], after["total_interactions"]) == (before["id"], 2)
    assert [str(one.chat) for one in (first, second)] == [f"{ana.lid}@lid"] * 2
    assert "pan de higo" in shop.asked()
    assert await shop.said(ana, 4) == ["busco pan de higo", "¿y de nuez?"]


async def test_one_who_was_known_by_number_and_apart_by_lid_becomes_one_with_every_sale(
    shop: Shop,
) -> None:
    ana = shop.stranger()
    number = f"52155{next(_numbers):08}"
    known = await shop.look.fetchval(
        "INSERT INTO customers (company_id, phone, lifetime_value) VALUES ($1, $2, 98)"
        " RETURNING id",
        shop.company,
        f"+{number}",
    )
    await shop.asks(ana, "busco pan de higo")
    [hidden] = await shop.customers(ana)
    for customer in (known, hidden["id"]):
        await shop.look.execute(
            "INSERT INTO sales (company_id, customer_id, product_id, amount)"
            " SELECT $1, $2, id, 98 FROM products WHERE company_id = $1 LIMIT 1",
            shop.company,
            customer,
        )

    shop.server.reveal(ana, number)
    await asyncio.sleep(1.0)  # WhatsApp's times are whole seconds, and they order a union.
    second = await shop.asks(ana, "¿y de nuez?")

    [row] = await shop.customers(ana)
    sales = await shop.look.fetch("SELECT amount FROM sales WHERE customer_id = $1", known)
    assert (row["id"], row["whatsapp_lid"], len(sales)) == (known, ana.lid, 2)
    assert str(second.chat) == f"{ana.lid}@lid"
    assert "pan de higo" in shop.asked()
    assert await shop.said(ana, 4) == ["busco pan de higo", "¿y de nuez?"]


async def test_the_reply_goes_to_the_address_that_the_message_came_from(shop: Shop) -> None:
    ana = shop.stranger()
    await shop.asks(ana, "uno")
    shop.server.reveal(ana, f"52155{next(_numbers):08}")
    await shop.asks(ana, "dos")

    ana.addressed_by = "number"
    await shop.asks(ana, "tres")

    chats = await shop.look.fetch(
        "SELECT chat FROM outbox WHERE customer_id = $1 ORDER BY id",
        (await shop.customers(ana))[0]["id"],
    )
    assert [row["chat"] for row in chats] == [
        f"{ana.lid}@lid",
        f"{ana.lid}@lid",
        f"{ana.number}@s.whatsapp.net",
    ]
