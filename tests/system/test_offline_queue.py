"""The real daemon with the real client: the owner has the last word after an absence too."""

import asyncio
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from models.database import connect
from models.ledger import Ledger
from tests.bot.whatsapp.conftest import open_server
from tests.builders import admin, make_company, message, reply
from tests.system.process import Home, running
from tests.whatsapp_server.nursery import seed
from tests.whatsapp_server.people import Customer

pytestmark = pytest.mark.whatsapp


async def ready_reply(url: str, company: UUID, customer: Customer) -> None:
    """As a daemon leaves it that was killed before it could send."""
    host, written = (
        uuid4(),
        message(company, phone=f"+{customer.number}", chat=str(customer.lid_jid)),
    )
    async with connect(url, connections=2) as database:
        ledger = Ledger(database.call)
        kept = await ledger.accept(written, reason=None, pause_seconds=0)
        turn = (await ledger.claim(company, kept.customer.id, host)).turn
        assert turn is not None
        await ledger.answer(turn, reply(f"para {customer.name}"), host=host, details={})


async def test_what_the_owner_typed_while_we_were_away_stops_a_ready_reply(
    store_urls: dict[str, str], tmp_path: Path
) -> None:
    url = store_urls["postgres"]
    company = await make_company(url)
    async with open_server(tmp_path) as server:
        owner = server.owner("5215512345678", "111222333444555")
        ana = server.add_customer("5215587654321", "999888777666555", "Ana")
        beto = server.add_customer("5491122334455", "222", "Beto")
        home = Home(tmp_path / "home", stores=store_urls)
        await seed(server, home.state_dir, {company: owner})
        for customer in (ana, beto):
            await ready_reply(url, company, customer)
        typed = owner.types(ana, "yo te atiendo", wa_id="3A77", protos=server.protos)
        await server.deliver(owner, typed)
        owner.faults.backlog_delay = 2.0
        async with running(home, env=server.environment):
            received = await asyncio.wait_for(beto.inbox.get(), 50)
            await asyncio.sleep(1.5)  # More than a sweep.

    look = await admin(url)
    reasons = await look.fetch("SELECT content, state, reason FROM outbox ORDER BY id")
    await look.close()
    assert received.text == "para Beto"
    assert ana.inbox.empty()
    assert [tuple(row) for row in reasons] == [
        ("para Ana", "stopped", "paused: owner"),
        ("para Beto", "sent", None),
    ]
