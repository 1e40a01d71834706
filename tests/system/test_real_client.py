"""The real daemon and the real client: what comes twice, late or badly is answered once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pytest

from tests.bot.whatsapp.conftest import open_server
from tests.builders import admin, make_company
from tests.system.process import Daemon, Home, running
from tests.whatsapp_server.faults import Faults, failure
from tests.whatsapp_server.nodes import Node
from tests.whatsapp_server.nursery import seed
from tests.whatsapp_server.people import Customer, Owner
from tests.whatsapp_server.server import WhatsAppServer
from tests.whatsapp_server.signs import receipt

pytestmark = pytest.mark.whatsapp

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

    async def deliver(self, *stanzas: Node) -> None:
        """To the client, now or when it comes back."""
        for stanza in stanzas:
            await self.server.deliver(self.owner, stanza)

    async def says_once(self, customer: Customer, *, seconds: float = 20.0) -> str:
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
    module_database: str,
    module_history: tuple[str, Callable[[], list[dict[str, Any]]]],
    stores: dict[str, str],
    slot: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Shop]:
    """One shop and one daemon for this file."""
    folder = tmp_path_factory.mktemp("shop")
    urls = {"postgres": module_database, "mongo": stores["mongod"]}
    urls |= {"mongo_database": module_history[0]}
    urls |= {"redis": f"unix://{urlsplit(stores['valkey']).path}?db={slot}"}
    company = await make_company(module_database, slug="panaderia")
    look = await admin(module_database)
    async with open_server(folder) as server:
        home = Home(folder / "home", stores=urls)
        owner = server.owner("5215512345678", "111222333444555")
        await seed(server, home.state_dir, {company: owner})
        shop = Shop(server, home, company, owner, look)
        async with running(home, env=server.environment) as shop.daemon:
            await shop.daemon.ready()
            await shop.comes_back(1)
            yield shop
    await look.close()


@pytest.fixture
async def shop(opened: Shop) -> Shop:
    """The shop, with a server in order."""
    opened.owner.faults = Faults()
    return opened


async def test_one_id_in_two_ciphertexts_is_one_message_with_one_reply(shop: Shop) -> None:
    ana = shop.customer()

    await shop.deliver(shop.text(ana, "3AD001"), shop.text(ana, "3AD001"))

    await shop.says_once(ana)
    assert await shop.metric('lyrox_messages_accepted_total{verdict="duplicate"}') == 1


async def test_a_message_whose_receipt_was_lost_is_not_answered_again(shop: Shop) -> None:
    ana, logins = shop.customer(), shop.owner.logins
    shop.owner.faults.loses_receipts = True

    await shop.deliver(shop.text(ana, "3AD002"))
    await shop.says_once(ana)
    assert "3AD002" in shop.owner.unreceipted
    shop.server.online[shop.owner.number].drop()
    await shop.comes_back(logins)

    await asyncio.sleep(1.0)
    assert ana.inbox.empty()
    assert await shop.ledger(ana) == {"inbox": ["answered"], "outbox": ["sent"]}


async def test_receipts_the_client_has_no_name_for_do_not_end_its_loop(shop: Shop) -> None:
    ana, logins = shop.customer(), shop.owner.logins
    await shop.deliver(shop.text(ana, "3AD003"))
    reply = await shop.says_once(ana)

    for kind in ("server-error", "view", "read", "something-new"):
        await shop.deliver(receipt(ana, reply, kind=kind))
    eva = shop.customer()
    await shop.deliver(shop.text(eva, "3AD004"))

    await shop.says_once(eva)
    assert shop.owner.logins == logins


async def test_a_dead_loop_is_started_again_and_counted_and_what_waited_is_answered(
    shop: Shop,
) -> None:
    ana, logins = shop.customer(), shop.owner.logins
    shop.owner.faults.refuses = failure(418)
    shop.server.online[shop.owner.number].drop()
    await shop.deliver(shop.text(ana, "3AD005"), shop.text(ana, "3AD005"))
    await shop.daemon.until("starts again by itself")
    shop.owner.faults = Faults()

    await shop.comes_back(logins + 1)

    await shop.says_once(ana)
    assert await shop.metric('lyrox_session_restarts_total{reason="fault"}') >= 1


async def test_a_server_that_answers_slowly_only_takes_longer(shop: Shop) -> None:
    ana, logins = shop.customer(), shop.owner.logins
    shop.owner.faults.delay = 0.3
    shop.server.online[shop.owner.number].drop()
    await shop.comes_back(logins)

    await shop.deliver(shop.text(ana, "3AD008"))

    await shop.says_once(ana)
    assert shop.owner.logins == logins + 1


@pytest.mark.slow
@pytest.mark.timeout(200)
async def test_a_reply_whose_ack_never_came_is_settled_as_sent_and_not_said_again(
    shop: Shop,
) -> None:
    ana, eva = shop.customer(), shop.customer()
    shop.owner.faults.withholds_acks = True
    await shop.deliver(shop.text(ana, "3AD006"))
    await asyncio.wait_for(ana.inbox.get(), 20)

    await asyncio.sleep(80)  # The client itself waits 75 s for an ack.
    shop.owner.faults = Faults()
    await shop.deliver(shop.text(eva, "3AD007"))

    await shop.says_once(eva)
    assert ana.inbox.empty()
    assert await shop.metric('lyrox_outbox_settled_total{found="sent"}') == 1
    assert await shop.ledger(ana) == {"inbox": ["answered"], "outbox": ["sent"]}
