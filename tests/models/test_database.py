"""Connecting, migrating, checking, and one SQL function a round trip."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from models.database import Database, check, connect, migrate
from models.errors import GiveUp, RetryLater, StartupRefused, Unavailable
from models.products import Product
from models.tenancy import company_scope
from tests.models.conftest import Firm

MakeDatabase = Callable[..., AbstractAsyncContextManager[str]]
SCHEMA = """
    SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace),
           (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace)
"""


@pytest.fixture
async def admin(admin_url: str, database: str) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection to the test's own database."""
    url = urlsplit(admin_url)._replace(path=urlsplit(database).path).geturl()
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def test_a_bare_database_is_refused_until_it_is_migrated(bare_database: str) -> None:
    with pytest.raises(StartupRefused, match="run `lyrox db migrate`"):
        await check(bare_database)

    applied = await migrate(bare_database)

    assert applied[:3] == ["0001_document", "0002_ledger", "0003_walls"]
    await check(bare_database)


async def test_migrating_again_does_nothing(database: str) -> None:
    assert await migrate(database) == []


async def test_concurrent_migrations_wait_for_each_other(bare_database: str) -> None:
    applied = await asyncio.gather(*(migrate(bare_database) for _ in range(4)))

    assert sorted(bool(names) for names in applied) == [False, False, False, True]
    await check(bare_database)


async def test_a_migration_that_fails_leaves_nothing(bare_database: str) -> None:
    connection = await asyncpg.connect(bare_database)
    try:
        await connection.execute("CREATE VIEW outbox AS SELECT 1 AS one")
        before = await connection.fetchrow(SCHEMA)

        with pytest.raises(Exception, match="outbox"):
            await migrate(bare_database)

        assert await connection.fetchrow(SCHEMA) == before
    finally:
        await connection.close()


async def test_a_newer_database_is_refused_and_not_migrated(
    database: str, admin: asyncpg.Connection
) -> None:
    await admin.execute(
        "INSERT INTO tortoise_migrations (app, name, applied_at)"
        " VALUES ('models', '9999_future', now())"
    )
    for step in (check, migrate):
        with pytest.raises(StartupRefused, match=r"newer than this program .*9999_future"):
            await step(database)


@pytest.mark.parametrize("power", ["SUPERUSER", "BYPASSRLS"])
async def test_a_role_that_passes_the_walls_is_refused(
    database: str, admin: asyncpg.Connection, slot: int, power: str
) -> None:
    role = f"mighty_{slot}_{power.lower()}"
    await admin.execute(f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN {power}")
    try:
        url = urlsplit(database)
        mighty = url._replace(netloc=f"{role}@").geturl()
        with pytest.raises(StartupRefused, match="without SUPERUSER and BYPASSRLS"):
            await check(mighty)
    finally:
        await admin.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize(
    ("url", "error", "told"),
    [
        ("postgres://app@127.0.0.1:1/app", Unavailable, "does not answer"),
        ("postgres://app@/app?host=/nowhere", Unavailable, "does not answer"),
        ("mysql://app@/app", StartupRefused, "not a PostgreSQL URL"),
        ("postgres://app@/app?hots=/x", StartupRefused, "unknown option hots"),
        ("postgres://app@host:abc/app", StartupRefused, "not a PostgreSQL URL"),
    ],
)
async def test_a_wrong_url_is_one_sentence(url: str, error: type[Exception], told: str) -> None:
    for step in (check, migrate, _open):
        with pytest.raises(error, match=told) as raised:
            await step(url)
        assert "\n" not in str(raised.value)


async def test_a_missing_database_or_role_is_refused(database: str) -> None:
    wrong = urlsplit(database)
    for url in (wrong._replace(path="/nothing_here"), wrong._replace(netloc="nobody_here@")):
        for step in (check, migrate, _open):
            with pytest.raises(StartupRefused, match="PostgreSQL refuses us"):
                await step(url.geturl())


async def test_a_call_is_one_round_trip_and_keeps_the_session(db: Database) -> None:
    first = await db.call("set_config", "app.test", "kept", False)
    again = await db.call("current_setting", "app.test")

    assert (first[0], again[0]) == ("kept", "kept")  # A reset query would have cleared it.


async def test_rows_come_as_they_are_and_json_stays_text(db: Database) -> None:
    rows = await db.rows("jsonb_each", '{"a": {"b": 1}}')

    assert [dict(row) for row in rows] == [{"key": "a", "value": '{"b": 1}'}]


async def test_a_call_survives_the_end_of_idle_connections(
    db: Database, admin: asyncpg.Connection
) -> None:
    await asyncio.gather(*(db.call("pg_sleep", 0.01) for _ in range(5)))
    await _end_others(admin)
    await asyncio.sleep(0.2)

    lost = 0
    for _ in range(5):
        try:
            await db.call("now")
        except RetryLater:
            lost += 1
    assert lost <= 1
    await db.call("now")


async def test_a_server_that_became_a_standby_is_waited_for_and_asked_by_another_way(
    db: Database,
) -> None:
    await db.call("set_config", "default_transaction_read_only", "on", False)

    with pytest.raises(RetryLater, match="read-only"):
        await db.call("desk_bury", [])

    await db.call("desk_bury", [])


async def test_a_connection_that_dies_meanwhile_asks_to_retry_later(
    db: Database, admin: asyncpg.Connection
) -> None:
    asleep = asyncio.create_task(_sleep(db))
    while not await admin.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event = 'PgSleep'"
    ):
        pass
    await _end_others(admin)

    with pytest.raises(RetryLater, match="does not answer"):
        await asleep


@pytest.mark.parametrize("text", ["NUL \x00", "surrogate \ud800"])
async def test_values_that_postgresql_can_never_take_are_given_up(db: Database, text: str) -> None:
    with pytest.raises(GiveUp) as raised:
        await db.call("upper", text)

    assert "surrogate" not in str(raised.value)


async def test_a_function_s_name_is_only_a_name(db: Database) -> None:
    with pytest.raises(ValueError, match="not a function's name"):
        await db.call("now(); DROP TABLE users; --")


async def test_the_models_work_for_events_of_a_foreign_thread(firms: tuple[Firm, Firm]) -> None:
    loop = asyncio.get_running_loop()
    found: list[Any] = []

    def event() -> None:
        found.append(asyncio.run_coroutine_threadsafe(_count(firms[0]), loop).result(10))

    thread = threading.Thread(target=event)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert found == [1]


async def test_closing_ends_every_connection(database: str, admin: asyncpg.Connection) -> None:
    async with connect(database, connections=3) as opened:
        await asyncio.gather(*(opened.call("pg_sleep", 0.01) for _ in range(9)))
        assert await _others(admin) == 3
    async with asyncio.timeout(5):
        while await _others(admin):
            pass


async def _open(url: str) -> None:
    async with connect(url):
        pass


async def _sleep(db: Database) -> None:
    await db.call("pg_sleep", 30.0)


async def _count(firm: Firm) -> int:
    async with company_scope(firm.id):
        return await Product.of(firm.id).count()


async def _end_others(admin: asyncpg.Connection) -> None:
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


async def _others(admin: asyncpg.Connection) -> int:
    count: int = await admin.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    return count
