"""One WhatsApp number belongs to one company, and PostgreSQL decides to which."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from models.database import connect
from models.desk import Desk
from tests.builders import admin, make_company

PHONE = "+5215512345678"
WITHOUT = ("never_paired", "logged_out")


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with connect(database, connections=4) as opened:
        yield Desk(opened.call, opened.rows)


@pytest.fixture
async def look(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await admin(database)
    yield connection
    await connection.close()


async def holder(database: str, reason: str | None, **columns: Any) -> UUID:
    """A company that has the number, as it last said of itself."""
    data = json.dumps({"reason": reason, "jid": "5215512345678:7@s.whatsapp.net"})
    known = {"whatsapp_session_data": data} if reason else {}
    return await make_company(database, whatsapp_phone=PHONE, **known, **columns)


async def claim(desk: Desk, company: UUID) -> str | None:
    return await desk.claim_number(company, PHONE, without=WITHOUT)


async def owners(look: asyncpg.Connection) -> list[UUID]:
    rows = await look.fetch("SELECT id FROM companies WHERE whatsapp_phone = $1", PHONE)
    return [row["id"] for row in rows]


async def test_a_free_number_is_the_claimers_and_stays_so(
    desk: Desk, database: str, look: asyncpg.Connection
) -> None:
    company = await make_company(database)

    assert [await claim(desk, company), await claim(desk, company)] == [None, None]
    assert await owners(look) == [company]


@pytest.mark.parametrize(
    ("reason", "device"),
    [
        ("online", "5215512345678:7@s.whatsapp.net"),
        ("stopped", "5215512345678:7@s.whatsapp.net"),
        (None, ""),
    ],
)
async def test_a_number_in_use_is_refused_and_its_device_named(
    desk: Desk, database: str, look: asyncpg.Connection, reason: str | None, device: str
) -> None:
    first, second = await holder(database, reason), await make_company(database)

    assert await claim(desk, second) == device
    assert await owners(look) == [first]


@pytest.mark.parametrize("reason", WITHOUT)
async def test_the_number_of_a_company_without_a_device_changes_hands(
    desk: Desk, database: str, look: asyncpg.Connection, reason: str
) -> None:
    first, second = await holder(database, reason), await make_company(database)

    assert await claim(desk, second) is None
    assert await owners(look) == [second]
    assert await claim(desk, first) == ""


async def test_a_company_that_is_not_active_gives_its_number_up(
    desk: Desk, database: str, look: asyncpg.Connection
) -> None:
    await holder(database, "stopped", active=False)
    second = await make_company(database)

    assert await claim(desk, second) is None
    assert await owners(look) == [second]


async def test_of_two_that_claim_at_once_one_has_it(
    desk: Desk, database: str, look: asyncpg.Connection
) -> None:
    companies = [await make_company(database) for _ in range(4)]

    answers = await asyncio.gather(*(claim(desk, company) for company in companies))

    assert answers.count(None) == 1
    assert await owners(look) == [companies[answers.index(None)]]


async def test_a_state_is_recorded_also_while_another_company_claims_the_same_number(
    desk: Desk, database: str, look: asyncpg.Connection
) -> None:
    first, second = await make_company(database), await make_company(database)
    claiming = look.transaction()
    await claiming.start()
    await look.execute("UPDATE companies SET whatsapp_phone = $2 WHERE id = $1", first, PHONE)

    data = {"reason": "online"}
    recording = asyncio.ensure_future(
        desk.record_session(second, second, connected=True, phone=PHONE, data=data)
    )
    await waits_for_a_lock(look)
    await claiming.commit()

    assert await recording
    assert await owners(look) == [first]
    query = "SELECT whatsapp_session_data ->> 'reason' FROM companies WHERE id = $1"
    assert await look.fetchval(query, second) == "online"


async def waits_for_a_lock(look: asyncpg.Connection) -> None:
    async with asyncio.timeout(20):
        while not await look.fetchval(
            "SELECT EXISTS (SELECT FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock')"
        ):
            await look.execute("SELECT pg_stat_clear_snapshot()")
            await asyncio.sleep(0.01)
