"""The loop that keeps ledger and conversations in bounds, on real stores."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from bot.hosts import Host
from bot.metrics import Metrics
from bot.upkeep import Upkeep
from models.conversations import Conversations, open_conversations
from models.database import Database, connect
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


def upkeep(opened: Database, conversations: Conversations, metrics: Metrics) -> Upkeep:
    desk, host = UpkeepDesk(opened.call), Host(uuid4(), "here", 0, "daemon")
    return Upkeep(desk, conversations, metrics, host=host, ledger_days=90)


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

    assert await upkeep(opened, conversations, metrics).purge() == 1200

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
    keeping = upkeep(opened, conversations, metrics)

    assert await keeping.shorten() == 2
    await look.execute("UPDATE inbox SET remembered = true")
    assert await keeping.shorten() == 1

    assert b"lyrox_conversation_lines_archived_total 3.0" in metrics.render()
    living = await conversations.last(company, kept.customer.id, 1000)
    assert [line.id for line in living] == [f"wa-{n}" for n in range(3, 503)]
