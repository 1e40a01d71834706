"""The loop that keeps ledger and conversations in bounds, on real stores."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from pymongo import MongoClient

from bot.hosts import Host
from bot.metrics import Metrics
from bot.upkeep import Upkeep
from models.conversations import Conversations, open_conversations
from models.database import Database, connect
from models.desk import Desk
from models.errors import RetryLater
from models.ledger import Ledger
from models.upkeep import UpkeepDesk
from models.values import Line, Sender
from tests.builders import admin, make_company, message

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with connect(database, connections=4) as db:
        yield db


@pytest.fixture
async def company(database: str) -> UUID:
    return await make_company(database)


@pytest.fixture
async def look(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await admin(database)
    yield connection
    await connection.close()


@pytest.fixture
async def conversations(mongo_url: str, mongo_database: str) -> AsyncIterator[Conversations]:
    async with open_conversations(mongo_url, mongo_database) as store:
        store.archive.most_living = 500
        yield store


def upkeep(
    call: Any, conversations: Conversations, metrics: Metrics, host: UUID | None = None
) -> Upkeep:
    return Upkeep(
        UpkeepDesk(call),
        conversations,
        metrics,
        host=Host(host or uuid4(), "here", 0, "daemon"),
        ledger_days=90,
        round_seconds=0.01,
    )


async def test_a_purge_goes_on_until_nothing_old_is_left(
    opened: Database, conversations: Conversations, company: UUID, look: Any
) -> None:
    ledger, metrics = Ledger(opened.call), Metrics()
    await ledger.accept(message(company), reason="a reaction", pause_seconds=0)
    await look.execute(
        "INSERT INTO inbox (company_id, customer_id, wa_id, channel, sender, chat, kind, content,"
        " sent_at, received_at, state, reason, remembered) SELECT company_id, customer_id,"
        " 'old-' || n, channel, sender, chat, kind, content, sent_at, now() - interval '91 days',"
        " state, reason, true FROM inbox, generate_series(1, 1200) n"
    )
    await look.execute("UPDATE inbox SET received_at = now() - interval '92 days' WHERE id = 1")

    assert await upkeep(opened.call, conversations, metrics).purge() == 1200

    assert await look.fetchval("SELECT count(*) FROM inbox") == 1  # It is not written yet.
    assert b'lyrox_ledger_rows_purged_total{table="inbox"} 1200.0' in metrics.render()


async def test_long_conversations_are_shortened_but_for_what_is_not_marked(
    opened: Database, conversations: Conversations, company: UUID, look: Any
) -> None:
    metrics = Metrics()
    kept = await Ledger(opened.call).accept(
        message(company, wa_id="wa-1"), reason=None, pause_seconds=0
    )
    lines = [
        Line(f"wa-{n}", NOON + timedelta(seconds=n), Sender.CUSTOMER, "hola") for n in range(503)
    ]
    await conversations.append(company, kept.customer, lines)
    keeping = upkeep(opened.call, conversations, metrics)

    assert await keeping.shorten() == 2
    await look.execute("UPDATE inbox SET remembered = true")
    assert await keeping.shorten() == 1

    assert b"lyrox_conversation_lines_archived_total 3.0" in metrics.render()
    living = await conversations.last(company, kept.customer.id, 1000)
    assert [line.id for line in living] == [f"wa-{n}" for n in range(3, 503)]


async def test_a_conversation_that_cannot_be_shortened_holds_up_no_other(
    opened: Database,
    conversations: Conversations,
    company: UUID,
    mongo_client: MongoClient[dict[str, Any]],
    mongo_database: str,
) -> None:
    ledger = Ledger(opened.call)
    for number in range(2):
        written = message(company, phone=f"+1305555010{number}")
        kept = await ledger.accept(written, reason=None, pause_seconds=0)
        lines = [
            Line(f"{number}-{n}", NOON + timedelta(seconds=n), Sender.CUSTOMER, "hola")
            for n in range(501)
        ]
        await conversations.append(company, kept.customer, lines)
    first, second = await conversations.archive.long_ones(company)
    mongo_client[mongo_database].command(
        "collMod",
        "conversations_archive",
        validator={"customerId": {"$ne": str(first)}},  # As a server refuses what it cannot keep.
    )

    assert await upkeep(opened.call, conversations, Metrics()).shorten() == 1

    assert await conversations.archive.moved(company, second) == 1
    assert await conversations.archive.long_ones(company) == [first]


async def test_only_the_eldest_keeps_house_and_goes_on_after_an_outage(
    opened: Database, conversations: Conversations, company: UUID, look: Any
) -> None:
    desk, metrics = Desk(opened.call, opened.rows), (Metrics(), Metrics())
    hosts = (uuid4(), uuid4())
    for host in hosts:
        await desk.beat(host, name="here", shard=0, role="daemon")
    await Ledger(opened.call).accept(message(company), reason="a reaction", pause_seconds=0)
    await look.execute(
        "UPDATE inbox SET received_at = now() - interval '91 days', remembered = true"
    )
    failures = [RetryLater("PostgreSQL is away")]

    async def call(function: str, *args: object) -> Any:
        if failures:
            raise failures.pop()
        return await opened.call(function, *args)

    elder = upkeep(call, conversations, metrics[0], hosts[0])
    younger = upkeep(opened.call, conversations, metrics[1], hosts[1])
    running = [asyncio.ensure_future(one.run()) for one in (younger, elder)]
    async with asyncio.timeout(20):
        while await look.fetchval("SELECT count(*) FROM inbox"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
    for task in running:
        task.cancel()

    purged = b'lyrox_ledger_rows_purged_total{table="inbox"} 1.0'
    assert [purged in each.render() for each in metrics] == [True, False]
    assert not failures
