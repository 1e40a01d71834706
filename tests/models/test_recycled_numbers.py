"""A number that changes hands: whoever has it now sees and hears nothing of who had it before."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.whatsapp.identity import customer_phone
from models.database import Database
from models.ledger import Ledger
from models.ledger_rows import Accepted
from models.owner import OwnerDesk
from models.values import Address, Channel, InboundMessage, Sender
from tests.builders import make_company, message, reply
from tests.one_database import database, db, look

__all__ = ["database", "db", "look"]

HOST = uuid4()
PHONE, OLD, NEW = "+13055550100", "71", "72"
LONG = "9" * 30
WHY = "the number is another person's now"


class Line:
    """A company that two accounts write to, one after the other, from one number."""

    def __init__(self, db: Database, company: UUID, look: asyncpg.Connection) -> None:
        self.ledger = Ledger(db.call)
        self.desk = OwnerDesk(db.call)
        self.company = company
        self.look = look

    def from_number(self, lid: str | None, text: str = "hola", **more: Any) -> InboundMessage:
        return message(self.company, text, phone=PHONE, lid=lid, **more)

    async def accept(self, sent: InboundMessage) -> Accepted:
        return await self.ledger.accept(sent, reason=None, pause_seconds=0)

    async def hears(self, lid: str | None, text: str = "hola", **more: Any) -> UUID:
        """A message arrives; whose it is."""
        return (await self.accept(self.from_number(lid, text, **more))).customer.id

    async def rows(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        query = f"SELECT {columns} FROM {table} WHERE company_id = $1 ORDER BY id"  # noqa: S608
        return [tuple(row) for row in await self.look.fetch(query, self.company)]

    async def known(self) -> dict[str, str]:
        """Each account's number."""
        rows = await self.rows("customers", "whatsapp_lid, phone")
        return dict(rows)


@pytest.fixture
async def line(db: Database, database: str, look: asyncpg.Connection) -> Line:
    return Line(db, await make_company(database), look)


@pytest.mark.parametrize("former", [OLD, LONG])
async def test_a_new_holder_of_a_number_is_a_new_customer(line: Line, former: str) -> None:
    before = await line.hears(former, "mi pedido secreto")
    after = await line.hears(NEW)

    assert after != before
    assert await line.known() == {former: customer_phone(Address(lid=former)), NEW: PHONE}
    claim = await line.ledger.claim(line.company, after, HOST)
    assert claim.turn is not None
    assert claim.turn.text == "hola"
    assert [one.text for one in claim.unremembered] == []
    assert await line.rows("agent_logs", "event_type, customer_id") == [
        ("number_changed_hands", before)
    ]


async def test_the_former_holder_goes_on_in_their_own_row_by_lid_and_by_a_new_number(
    line: Line,
) -> None:
    before = await line.hears(OLD)
    after = await line.hears(NEW)

    hidden = await line.accept(message(line.company, phone=f"lid:{OLD}", lid=OLD))
    moved = await line.accept(message(line.company, phone="+13055550999", lid=OLD))

    assert hidden.customer.id == moved.customer.id == before
    assert await line.known() == {OLD: "+13055550999", NEW: PHONE}
    assert await line.hears(None) == after


@pytest.mark.parametrize("known_as", [f"lid:{NEW}", "+13055550999"])
async def test_a_new_holder_who_is_known_already_keeps_their_own_row(
    line: Line, known_as: str
) -> None:
    before = await line.hears(OLD)
    known = (await line.accept(message(line.company, phone=known_as, lid=NEW))).customer.id

    taken = await line.accept(line.from_number(NEW))

    assert taken.customer.id == known != before
    assert (taken.customer.phone, taken.former) == (PHONE, known_as)
    assert await line.known() == {OLD: f"lid:{OLD}", NEW: PHONE}


async def test_nothing_that_was_meant_for_the_former_holder_is_sent_to_the_number(
    line: Line,
) -> None:
    before = await line.hears(OLD, "¿y mi dinero?")
    claim = await line.ledger.claim(line.company, before, HOST)
    assert claim.turn
    await line.ledger.answer(claim.turn, reply("tu saldo es"), host=HOST, details={})
    await line.accept(line.from_number(OLD, "ok", sender=Sender.OWNER))

    await line.hears(NEW)

    assert await line.rows("outbox", "state, reason") == [("stopped", WHY)]
    assert await line.ledger.ready(line.company, Channel.WHATSAPP, None) == []
    states = await line.rows(
        "inbox", "customer_id = $1, state, reason".replace("$1", f"'{before}'")
    )
    assert states[0] == (True, "silent", WHY)
    assert states[-1] == (False, "pending", None)


@pytest.mark.parametrize("claimed", [True, False])
async def test_what_the_former_holder_asked_from_the_number_is_not_answered_there(
    line: Line, claimed: bool
) -> None:
    before = await line.hears(OLD, "¿y mi dinero?")
    if claimed:
        claim = await line.ledger.claim(line.company, before, HOST)
        assert claim.turn

    await line.hears(NEW)

    assert (await line.rows("inbox", "state, reason"))[0] == ("silent", WHY)
    if claimed:
        assert claim.turn
        late, _ = await line.ledger.answer(claim.turn, reply("tu saldo"), host=HOST, details={})
        assert late == "lost"


async def test_what_goes_to_the_former_holders_own_address_still_does(line: Line) -> None:
    before = await line.hears(OLD, "¿y mi dinero?", chat=f"{OLD}@lid")

    await line.hears(NEW)

    claim = await line.ledger.claim(line.company, before, HOST)
    assert claim.turn
    assert claim.turn.chat == f"{OLD}@lid"


async def test_an_owners_word_to_the_new_holder_does_not_pause_the_former(line: Line) -> None:
    before = await line.hears(OLD)

    await line.desk.wrote(
        line.from_number(NEW, "hola, soy Ana", sender=Sender.OWNER),
        pause_seconds=60,
        resume_word="#bot",
    )

    paused = await line.rows("customers", "id, paused_until IS NOT NULL")
    assert dict(paused) == {key: key != before for key, _ in paused}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(("71", "72", "73")), st.sampled_from((None, "+1", "+2"))),
        max_size=14,
    )
)
async def test_whatever_numbers_accounts_show_none_is_ever_taken_for_another(
    db: Database, database: str, look: asyncpg.Connection, steps: list[tuple[str, str | None]]
) -> None:
    line = Line(db, await make_company(database), look)
    rows: dict[str, UUID] = {}
    shown: dict[str, str] = {}
    for lid, phone in steps:
        sent = message(line.company, phone=phone or f"lid:{lid}", lid=lid)
        assert (
            rows.setdefault(lid, (await line.accept(sent)).customer.id)
            == (await line.accept(sent)).customer.id
        )
        if phone:
            shown = {who: what for who, what in shown.items() if what != phone} | {lid: phone}

    assert await line.known() == {lid: shown.get(lid, f"lid:{lid}") for lid in rows}
