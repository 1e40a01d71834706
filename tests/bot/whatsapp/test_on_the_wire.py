"""The real client, hosted as the daemon hosts it, against the loopback server."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from bot.whatsapp import session_file
from bot.whatsapp.files import CompanyFiles
from tests.bot.whatsapp.conftest import open_server
from tests.whatsapp_server.faults import Faults
from tests.whatsapp_server.hosted import Hosted, hosting
from tests.whatsapp_server.nursery import seed
from tests.whatsapp_server.people import Customer
from tests.whatsapp_server.server import WhatsAppServer

pytestmark = pytest.mark.whatsapp

CHAT = "999888777666555@lid"


class Town:
    """One company, its owner and a customer, and a state directory that outlives its programs."""

    def __init__(self, server: WhatsAppServer, folder: Path) -> None:
        self.server = server
        self.state_dir = folder / "state"
        self.company = uuid4()
        self.owner = server.owner("5215512345678", "111222333444555")
        self.ana = server.add_customer("5215587654321", "999888777666555", "Ana")

    @asynccontextmanager
    async def hosted(self, *companies: UUID) -> AsyncIterator[Hosted]:
        """The program, already connected."""
        wanted = companies or (self.company,)
        async with hosting(self.state_dir, *wanted, environment=self.server.environment) as hosted:
            for company in wanted:
                await hosted.until(event="state", reason="online", company=str(company))
            yield hosted

    async def write(self, text: str, wa_id: str, customer: Customer | None = None) -> None:
        """The customer writes to the owner."""
        stanza = (customer or self.ana).write(self.owner, text, wa_id=wa_id)
        await self.server.deliver(self.owner, stanza)

    async def read(self, customer: Customer | None = None) -> str:
        """The next text on the customer's phone."""
        received = await asyncio.wait_for((customer or self.ana).inbox.get(), 50)
        return received.text


@pytest.fixture(scope="module")
async def paired(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """A pairing takes a second, so the tests of this file share one town."""
    folder = tmp_path_factory.mktemp("town")
    async with open_server(folder) as server:
        yield Town(server, folder)


@pytest.fixture
async def town(paired: Town) -> Town:
    """The town with a paired phone and everything in order."""
    paired.owner.faults = Faults()
    paired.server.seen.clear()
    paired.ana.inbox = asyncio.Queue()
    if session_file.device(CompanyFiles(paired.state_dir, paired.company).session) is None:
        paired.server.forget(paired.owner)
        await seed(paired.server, paired.state_dir, {paired.company: paired.owner})
    return paired


async def test_a_text_arrives_and_its_reply_is_read_and_can_be_settled(town: Town) -> None:
    secret, other = os.urandom(32).hex(), os.urandom(32).hex()
    async with town.hosted() as hosted:
        await town.write("hola, ¿cuánto cuesta?", "3AFF01")
        message = await hosted.until(event="message")
        before = (await hosted.do("hash", chat=message["chat"]))["value"]
        await hosted.do("typing", chat=message["chat"])
        sent = await hosted.do("send", chat=message["chat"], text="98 dólares", secret=secret)
        received = await asyncio.wait_for(town.ana.inbox.get(), 50)
        settled = await hosted.do("settle", chat=message["chat"], secret=secret, hash=before)
        unknown = await hosted.do("settle", chat=message["chat"], secret=other, hash=before)

    assert (message["text"], message["wa_id"], message["name"]) == (
        "hola, ¿cuánto cuesta?",
        "3AFF01",
        "Ana",
    )
    assert (message["phone"], message["chat"]) == ("+5215587654321", CHAT)
    assert not message["stale"]
    assert (received.text, received.id) == ("98 dólares", sent["value"])
    assert received.message.messageContextInfo.messageSecret.hex() == secret
    assert settled["value"] == {"sent": True, "wa_id": received.id}
    assert unknown["value"] == {"sent": False, "wa_id": None}
    assert [node.tag for node in town.server.seen].count("chatstate") == 1


async def test_a_stop_ends_within_seconds_and_a_restart_takes_the_backlog_in_order(
    town: Town,
) -> None:
    async with town.hosted() as hosted:
        await hosted.tell("stop")
        await hosted.until(event="stopped", seconds=10)
        assert await asyncio.wait_for(hosted.process.wait(), 5) == 0
    for i in range(20):
        await town.write(f"mensaje {i}", f"3AFF{i:02}")

    async with town.hosted() as hosted:
        await hosted.until(event="message", text="mensaje 19")
        texts = [line["text"] for line in hosted.said if line["event"] == "message"]

    assert texts == [f"mensaje {i}" for i in range(20)]


async def test_a_kill_between_whatsapp_and_the_store_loses_nothing(town: Town) -> None:
    async with town.hosted() as hosted:
        await town.write("die before storing", "3AFF01")
        await hosted.process.wait()
    assert town.owner.queue == []

    async with hosting(town.state_dir, town.company, environment=town.server.environment) as again:
        attached = await again.until(event="attached")
        message = await again.until(event="message", wa_id="3AFF01")
        order = [again.said.index(attached), again.said.index(message)]

    assert message["text"] == "die before storing"
    assert order == sorted(order)


async def test_a_kill_while_whatsapp_has_not_answered_is_settled_as_sent(town: Town) -> None:
    secret = os.urandom(32).hex()
    async with town.hosted() as hosted:
        await town.write("hola", "3AFF01")
        await hosted.until(event="message")
        before = (await hosted.do("hash", chat=CHAT))["value"]
        town.owner.faults.withholds_acks = True
        await hosted.tell("send", chat=CHAT, text="¿llegó?", secret=secret)
        received = await asyncio.wait_for(town.ana.inbox.get(), 50)
        hosted.process.kill()
        await hosted.process.wait()

    async with town.hosted() as again:
        settled = await again.do("settle", chat=CHAT, secret=secret, hash=before)

    assert settled["value"] == {"sent": True, "wa_id": received.id}


async def test_the_owner_typing_on_the_phone_is_known_at_once_and_is_no_customer(
    town: Town,
) -> None:
    async with town.hosted() as hosted:
        await town.write("hola", "3AFF01")
        await hosted.until(event="message")
        stanza = town.owner.types(
            town.ana, "yo te atiendo", wa_id="3A77", protos=town.server.protos
        )
        await town.server.deliver(town.owner, stanza)
        message = await hosted.until(event="message", sender="owner")
        hand = (await hosted.do("hand", chat=CHAT))["value"]

    assert (message["text"], message["phone"]) == ("yo te atiendo", "+5215587654321")
    assert hand == {"count": 1, "pending": False}


async def test_our_own_reply_is_never_taken_for_the_owners_hand(town: Town) -> None:
    async with town.hosted() as hosted:
        await town.write("hola", "3AFF01")
        await hosted.until(event="message")
        await hosted.do("send", chat=CHAT, text="hola Ana", secret=os.urandom(32).hex())
        await town.read()
        hand = (await hosted.do("hand", chat=CHAT))["value"]

    assert hand == {"count": 0, "pending": False}


async def test_a_customer_by_number_and_one_without_a_number_are_both_answered(
    town: Town,
) -> None:
    by_number = town.server.add_customer("5491122334455", "222", "Beto", addressed_by="number")
    hidden = town.server.add_customer(None, "333", "Eva")
    async with town.hosted() as hosted:
        for customer, wa_id in ((by_number, "3AB1"), (hidden, "3AE1")):
            await town.write("hola", wa_id, customer)
            message = await hosted.until(event="message", wa_id=wa_id)
            secret = os.urandom(32).hex()
            await hosted.do("send", chat=message["chat"], text=wa_id, secret=secret)
            assert await town.read(customer) == wa_id
        phones = [line["phone"] for line in hosted.said if line["event"] == "message"]

    assert phones == ["+5491122334455", "lid:333"]


async def test_a_machine_without_a_way_out_says_so_and_runs_on(town: Town) -> None:
    closed = {**town.server.environment, "HTTPS_PROXY": "http://127.0.0.1:9"}
    async with hosting(town.state_dir, town.company, environment=closed) as hosted:
        state = await hosted.until(event="state", reason="unreachable")
        await asyncio.sleep(0.5)

        assert hosted.process.returncode is None
    assert "WhatsApp cannot be reached" in state["sentence"]


async def test_three_companies_share_a_process_without_mixing_their_customers(
    town: Town,
) -> None:
    others = {uuid4(): town.server.owner(f"52155000000{i}", f"55500{i}") for i in (1, 2)}
    await seed(town.server, town.state_dir, others)
    companies = {town.company: town.owner, **others}
    async with town.hosted(*companies) as hosted:
        for number, (company, owner) in enumerate(companies.items()):
            customer = town.server.add_customer(f"5215577{number}", f"7700{number}", "Eva")
            stanza = customer.write(owner, f"para {number}", wa_id=f"3AC{number}")
            await town.server.deliver(owner, stanza)
            message = await hosted.until(event="message", wa_id=f"3AC{number}")

            assert message["company"] == str(company)
            assert message["text"] == f"para {number}"
