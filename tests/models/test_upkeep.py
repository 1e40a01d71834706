"""What is closed, old and written down is cleared; nothing else ever is."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from models.database import Database, connect
from models.desk import Desk
from models.ledger import Ledger
from models.upkeep import Purged, UpkeepDesk, every_company
from models.values import Channel, Turn
from tests.builders import admin, make_company, message, reply

HOST = uuid4()
SECRET = b"s" * 32
LATE_ONE = """
    INSERT INTO inbox (company_id, customer_id, wa_id, channel, sender, chat, kind, content,
                       sent_at, state, turn_id, remembered)
    SELECT company_id, customer_id, 'late', channel, sender, chat, kind, content, sent_at,
           'answered', turn_id, true FROM inbox
"""
NOTHING = Purged(0, 0, 0, None, None)


@pytest.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with connect(database, connections=4) as db:
        yield db


@pytest.fixture
def ledger(opened: Database) -> Ledger:
    return Ledger(opened.call)


@pytest.fixture
def desk(opened: Database) -> UpkeepDesk:
    return UpkeepDesk(opened.call)


@pytest.fixture
async def company(database: str) -> UUID:
    return await make_company(database)


@pytest.fixture
async def look(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await admin(database)
    yield connection
    await connection.close()


async def _claimed(ledger: Ledger, company: UUID, phone: str = "+13055550100") -> Turn:
    kept = await ledger.accept(
        message(company, phone=phone, channel=Channel.TERMINAL), reason=None, pause_seconds=0
    )
    claim = await ledger.claim(company, kept.customer.id, HOST)
    assert claim.turn is not None
    return claim.turn


async def _said(ledger: Ledger, company: UUID, phone: str = "+13055550100") -> Turn:
    """A turn from its message to a reply in two parts that were sent."""
    turn = await _claimed(ledger, company, phone)
    await ledger.answer(turn, reply("uno", "dos"), host=HOST, details={})
    for part in await ledger.ready(company, Channel.TERMINAL, None):
        outcome = await ledger.sending(part, host=HOST, fence=0, secret=SECRET, sessions_hash=None)
        assert outcome == "go"
        await ledger.sent(company, part.id, f"wa-{part.id}", confirmed=True)
    return turn


async def _age(look: asyncpg.Connection, days: int = 91) -> None:
    """Everything in the ledger happened *days* ago."""
    ago = await look.fetchval("SELECT now() - make_interval(days => $1)", days)
    await look.execute("UPDATE inbox SET received_at = $1, remembered = true", ago)
    await look.execute("UPDATE turns SET closed_at = $1 WHERE state <> 'open'", ago)
    await look.execute("UPDATE outbox SET created_at = $1", ago)
    await look.execute(
        "UPDATE outbox SET sent_at = $1, remembered = true WHERE state = 'sent'", ago
    )


async def _counts(look: asyncpg.Connection) -> tuple[int, int, int]:
    inbox, turns, outbox = [
        await look.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608
        for table in ("inbox", "turns", "outbox")
    ]
    return inbox, turns, outbox


async def test_a_turn_that_is_closed_and_written_goes_whole_when_its_time_has_come(
    ledger: Ledger, desk: UpkeepDesk, company: UUID, look: Any
) -> None:
    await _said(ledger, company)
    await _age(look, 89)
    assert await desk.purge(90) == NOTHING

    await _age(look, 91)
    gone = await desk.purge(90)

    assert (gone.inbox, gone.turns, gone.outbox) == (1, 1, 2)
    assert await _counts(look) == (0, 0, 0)
    assert await look.fetchval("SELECT count(*) FROM agent_logs") == 2
    assert await look.fetchval("SELECT count(*) FROM customers") == 1


@pytest.mark.parametrize(
    "holding",
    [
        "UPDATE inbox SET remembered = false",
        "UPDATE outbox SET remembered = false WHERE part = 2",
        "UPDATE outbox SET sent_at = now() WHERE part = 2",
        "UPDATE outbox SET state = 'sending' WHERE part = 2",
        "UPDATE outbox SET state = 'ready' WHERE part = 2",
        "UPDATE turns SET state = 'open', closed_at = NULL",
        "UPDATE turns SET closed_at = now()",
        "UPDATE inbox SET state = 'taken'",
        LATE_ONE,
    ],
)
async def test_what_is_open_young_or_unwritten_holds_its_whole_turn(
    ledger: Ledger, desk: UpkeepDesk, company: UUID, look: Any, holding: str
) -> None:
    await _said(ledger, company)
    await _age(look)
    await look.execute(holding)
    before = await _counts(look)

    gone = await desk.purge(90)

    assert (gone.inbox, gone.turns, gone.outbox) == (0, 0, 0)
    assert await _counts(look) == before


@pytest.mark.parametrize("state", ["superseded", "stopped", "failed"])
async def test_a_part_that_was_never_said_need_not_be_written(
    ledger: Ledger, desk: UpkeepDesk, company: UUID, look: Any, state: str
) -> None:
    await _said(ledger, company)
    await _age(look)
    await look.execute(f"UPDATE outbox SET state = '{state}', remembered = false")  # noqa: S608

    assert (await desk.purge(90)).outbox == 2


async def test_silent_messages_notices_and_turns_that_joined_another_go_too(
    ledger: Ledger, desk: UpkeepDesk, company: UUID, look: Any
) -> None:
    turn = await _claimed(ledger, company)
    await ledger.notice(company, turn.customer.id, Channel.TERMINAL, "chat", "un momento")
    for part in await ledger.ready(company, Channel.TERMINAL, None):
        await ledger.sending(part, host=HOST, fence=0, secret=SECRET, sessions_hash=None)
        await ledger.sent(company, part.id, "wa", confirmed=True)
    await ledger.silence(turn, host=HOST, reason="joined", handler=None)
    await look.execute("UPDATE inbox SET turn_id = NULL")
    await _age(look)

    gone = await desk.purge(90)

    assert (gone.inbox, gone.turns, gone.outbox) == (1, 1, 1)
    assert await _counts(look) == (0, 0, 0)


async def test_batch_after_batch_comes_to_the_first_young_row(
    ledger: Ledger, desk: UpkeepDesk, company: UUID, look: Any
) -> None:
    for number in range(5):
        await _said(ledger, company, f"+1305555010{number}")
    await _age(look)
    await look.execute("UPDATE inbox SET remembered = false WHERE id = (SELECT min(id) FROM inbox)")
    await _said(ledger, company, "+13055550109")

    first = await desk.purge(90, limit=2)
    second = await desk.purge(
        90, inbox=first.next_inbox or 0, outbox=first.next_outbox or 0, limit=2
    )
    third = await desk.purge(
        90, inbox=second.next_inbox or 0, outbox=second.next_outbox or 0, limit=2
    )

    assert [one.turns for one in (first, second, third)] == [1, 2, 1]
    assert third.next_inbox is None
    assert await _counts(look) == (2, 2, 4)


async def test_rows_in_use_are_left_to_the_next_round_and_nobody_waits(
    ledger: Ledger, desk: UpkeepDesk, company: UUID, look: Any
) -> None:
    await _said(ledger, company)
    await _said(ledger, company, "+13055550101")
    await _age(look)

    async with look.transaction():
        await look.execute("SELECT 1 FROM outbox WHERE id = 1 FOR UPDATE")
        assert (await desk.purge(90)).turns == 1
        await look.execute("SELECT pg_advisory_xact_lock(hashtext('lyrox purge'))")
        assert await desk.purge(90) == NOTHING

    assert (await desk.purge(90)).turns == 1


async def test_only_the_daemon_that_has_lived_longest_keeps_house(
    desk: UpkeepDesk, opened: Database
) -> None:
    hosts, worker, older, younger = Desk(opened.call, opened.rows), uuid4(), uuid4(), uuid4()
    for number, (host, role) in enumerate(
        [(worker, "worker"), (older, "daemon"), (younger, "daemon")]
    ):
        await hosts.beat(host, name="here", shard=number, role=role)

    assert [await desk.eldest(host) for host in (worker, older, younger)] == [False, True, False]
    await hosts.bury([older])
    assert await desk.eldest(younger)
    assert not await desk.eldest(older)


async def test_lines_whose_rows_are_not_marked_are_named(
    ledger: Ledger, desk: UpkeepDesk, company: UUID, look: Any
) -> None:
    turn = await _said(ledger, company)
    named = await desk.unwritten(company, turn.customer.id)
    wa_id = await look.fetchval("SELECT wa_id FROM inbox")
    assert named == frozenset({wa_id, "wa-1", "wa-2"})

    await look.execute("UPDATE inbox SET remembered = true")
    await look.execute("UPDATE outbox SET remembered = true WHERE part = 1")

    assert await desk.unwritten(company, turn.customer.id) == frozenset({"wa-2"})


async def test_a_conversation_that_is_to_become_one_with_another_is_left_alone(
    ledger: Ledger, desk: UpkeepDesk, company: UUID, look: Any
) -> None:
    turn, former = await _said(ledger, company), uuid4()
    await look.execute(
        "INSERT INTO customer_merges (old_id, company_id, new_id) VALUES ($1, $2, $3)",
        former,
        company,
        turn.customer.id,
    )

    assert await desk.unwritten(company, turn.customer.id) is None
    assert await desk.unwritten(company, former) is None
    await look.execute("UPDATE customer_merges SET mongo_done = true")
    assert await desk.unwritten(company, turn.customer.id) is not None
    assert await desk.unwritten(company, former) is None


@pytest.mark.usefixtures("opened")
async def test_every_company_is_looked_after(company: UUID) -> None:
    assert await every_company() == [company]
