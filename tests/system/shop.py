"""A company with a paired phone on the loopback server, and the real daemon that hosts it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.bot.whatsapp.conftest import open_server
from tests.builders import admin, make_company
from tests.system.process import Daemon, Home, running
from tests.whatsapp_server.nodes import Node
from tests.whatsapp_server.nursery import seed
from tests.whatsapp_server.people import Customer, Owner, Received
from tests.whatsapp_server.server import WhatsAppServer

NOTHING: Mapping[str, Any] = MappingProxyType({})

_numbers = count(1)


@dataclass
class Shop:
    """A company with a paired phone, and the daemon that hosts it."""

    server: WhatsAppServer
    home: Home
    company: UUID
    owner: Owner
    look: asyncpg.Connection
    daemon: Daemon = field(init=False)

    def customer(self) -> Customer:
        """Somebody who has not written before."""
        number = next(_numbers)
        return self.server.add_customer(f"52155{number:08}", f"777{number:09}", "Ana")

    def text(self, customer: Customer, wa_id: str) -> Node:
        """A greeting; each call seals it anew."""
        return customer.write(self.owner, "hola", wa_id=wa_id)

    async def says(self, customer: Customer, words: Mapping[str, Any], wa_id: str) -> None:
        """The customer sends something."""
        message = self.server.protos.e2e.Message(**words)
        await self.deliver(customer.send(self.owner, message, wa_id=wa_id))

    async def hears(self, customer: Customer, *, seconds: float = 50) -> Received:
        """The next that reaches the customer, and nothing in the second after it."""
        received = await asyncio.wait_for(customer.inbox.get(), seconds)
        await asyncio.sleep(1.0)
        assert customer.inbox.empty()
        return received

    async def until(self, customer: Customer, count: int) -> None:
        """Wait until the ledger has so many messages of the customer."""
        async with asyncio.timeout(20):
            while len((await self.ledger(customer))["inbox"]) < count:  # noqa: ASYNC110 - A store.
                await asyncio.sleep(0.02)

    async def deliver(self, *stanzas: Node) -> None:
        """To the client, now or when it comes back."""
        for stanza in stanzas:
            await self.server.deliver(self.owner, stanza)

    async def says_once(self, customer: Customer, *, seconds: float = 50) -> str:
        """The one reply that reaches the customer, and nothing in the second after it."""
        received = await asyncio.wait_for(customer.inbox.get(), seconds)
        await asyncio.sleep(1.0)
        assert customer.inbox.empty()
        assert await self.ledger(customer) == {"inbox": ["answered"], "outbox": ["sent"]}
        return received.id

    async def ledger(self, customer: Customer) -> dict[str, list[str]]:
        """Where the customer's rows stand."""
        query = (
            "SELECT t.state FROM {} t JOIN customers c ON c.id = t.customer_id WHERE c.phone = $1"
        )
        phone = f"+{customer.number}"
        return {
            table: [row["state"] for row in await self.look.fetch(query.format(table), phone)]
            for table in ("inbox", "outbox")
        }

    async def metric(self, line: str) -> float:
        """The value of one line of the metrics."""
        _, text = await self.home.get("/metrics")
        found = [one for one in text.splitlines() if one.startswith(f"{line} ")]
        return float(found[0].split()[-1]) if found else 0.0

    async def comes_back(self, logins: int) -> None:
        """Wait for one more login than *logins*."""
        async with asyncio.timeout(30):
            while self.owner.logins <= logins or not self._is_active():
                self.server.logged_in.clear()
                await self.server.logged_in.wait()

    def _is_active(self) -> bool:
        line = self.server.online.get(self.owner.number)
        return line is not None and line.active


@pytest.fixture(scope="module")
async def opened(
    module_urls: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    """One shop and one daemon for this file."""
    async with running_shop(tmp_path_factory.mktemp("shop"), module_urls) as shop:
        yield shop


@asynccontextmanager
async def running_shop(
    folder: Path,
    urls: Mapping[str, str],
    *,
    facts: Mapping[str, Any] = NOTHING,
    greets: bool = False,
    **sections: Any,
) -> AsyncIterator[Shop]:
    """A shop on these stores; *facts* are columns of its company, *sections* its configuration.

    *greets*: its phone tells the new device of the account, and so of its name.
    """
    company = await make_company(urls["postgres"], slug="panaderia", **facts)
    look = await admin(urls["postgres"])
    async with open_server(folder) as server:
        home = Home(folder / "home", stores=urls, **sections)
        owner = server.owner("5215512345678", "111222333444555")
        server.greets = greets
        await seed(server, home.state_dir, {company: owner})
        shop = Shop(server, home, company, owner, look)
        async with running(home, env=server.environment) as shop.daemon:
            await shop.daemon.ready()
            await shop.comes_back(1)
            yield shop
    await look.close()
