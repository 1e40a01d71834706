"""The PostgreSQL door: connecting, migrating, checking, and one SQL function a round trip."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import asyncpg
from asyncpg.connection import Connection
from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.backends.base.config_generator import expand_db_url
from tortoise.context import TortoiseContext
from tortoise.exceptions import ConfigurationError, DBConnectionError
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget
from tortoise.migrations.loader import MigrationLoader
from tortoise.migrations.recorder import MigrationRecorder

from models.errors import RetryLater, StartupRefused, Unavailable

TABLES = (
    "users", "companies", "products", "customers", "sales", "agent_logs", "subscriptions",
    "hosts", "session_leases", "turns", "inbox", "outbox",
)  # fmt: skip
APP = {
    "models": [f"models.{table}" for table in TABLES],
    "migrations": "models.migrations",
    "default_connection": "default",
}
COMMAND_SECONDS = 30.0
CONNECT_SECONDS = 10.0
MIGRATION_LOCK = "SELECT pg_advisory_lock(hashtext('lyrox migrate'))"
URL_OPTIONS = frozenset({"host", "sslmode", "statement_cache_size"})
LOST = (
    OSError,  # Covers TimeoutError and every refused or reset connection.
    DBConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # The server stops, starts, or cancelled us.
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # Deadlock and serialisation failures.
)


class _Connection(Connection):  # type: ignore[misc]  # asyncpg is untyped.
    """Goes back to the pool without a reset query, which would be a round trip of its own.

    That is safe because nothing of ours outlives a transaction: no listeners, no session
    settings, no session locks.
    """

    def get_reset_query(self) -> str:
        return ""


class Database:
    """An open database; the ORM models work while it is open."""

    def __init__(self, client: AsyncpgDBClient) -> None:
        self._client = client

    async def call(self, function: str, *args: object) -> asyncpg.Record:
        """Run one SQL function in one round trip; its single row. JSON stays text.

        Raises RetryLater when PostgreSQL cannot be asked now; whether the function ran is
        then unknown.
        """
        rows = await self.rows(function, *args)
        return rows[0]

    async def rows(self, function: str, *args: object) -> list[asyncpg.Record]:
        """As `call`, for a function that returns any number of rows."""
        statement = _statement(function, len(args))
        with _lost_means(RetryLater):
            async with self._client.acquire_connection() as connection:
                return cast("list[asyncpg.Record]", await connection.fetch(statement, *args))


@asynccontextmanager
async def connect(url: str, *, connections: int = 10) -> AsyncIterator[Database]:
    """Open the models on *url* with at most *connections* pooled connections.

    One at a time in a process: foreign threads and later tasks find it without a context.
    Raises Unavailable when PostgreSQL cannot be reached.
    """
    context = TortoiseContext()
    await context.init(config=_config(url, connections), _enable_global_fallback=True)
    try:
        client = cast("AsyncpgDBClient", context.connections.get("default"))
        with _lost_means(Unavailable):
            await client.create_connection(with_db=True)
        yield Database(client)
    finally:
        await context.close_connections()


async def migrate(url: str) -> list[str]:
    """Bring the schema up to this code's; returns the names applied now. One at a time."""
    with _lost_means(Unavailable):
        lock = await _single(url)
        try:
            await lock.execute(MIGRATION_LOCK, timeout=600)
            return await _apply(url)
        finally:
            await lock.close()


async def check(url: str) -> None:
    """Refuse a database that is unmigrated, newer than the code, or whose walls we would pass."""
    with _lost_means(Unavailable):
        connection = await _single(url)
        try:
            await _check_role(connection)
            _check_version(await _applied(connection))
        finally:
            await connection.close()


async def _apply(url: str) -> list[str]:
    applied: list[str] = []

    def note(event: str, _app: str, name: str) -> None:
        if event == "apply_done":
            applied.append(name)

    async with TortoiseContext() as context:
        await context.init(config=_config(url, 2))
        executor = MigrationExecutor(context.connections.get("default"), {"models": APP})
        await executor.migrate([MigrationTarget("models", "__latest__")], progress=note)
    return applied


async def _check_role(connection: asyncpg.Connection) -> None:
    role = await connection.fetchrow(
        "SELECT rolname, rolsuper OR rolbypassrls AS passes FROM pg_roles"
        " WHERE rolname = current_user"
    )
    if role is not None and role["passes"]:
        raise StartupRefused(
            f"the PostgreSQL role {role['rolname']!r} may bypass row-level security, so company"
            " walls would not hold: connect as a role without SUPERUSER and BYPASSRLS"
        )


async def _applied(connection: asyncpg.Connection) -> set[str]:
    if await connection.fetchval("SELECT to_regclass('tortoise_migrations')") is None:
        return set()
    rows = await connection.fetch("SELECT name FROM tortoise_migrations WHERE app = 'models'")
    return {row["name"] for row in rows}


def _check_version(applied: set[str]) -> None:
    known = _known()
    if newer := applied - known:
        raise StartupRefused(
            f"the database is newer than this program (it has {', '.join(sorted(newer))}):"
            " install the newer version"
        )
    if missing := known - applied:
        raise StartupRefused(
            f"the database lacks {len(missing)} migration(s): run `lyrox db migrate`"
        )


@lru_cache
def _known() -> set[str]:
    loader = MigrationLoader({"models": APP}, MigrationRecorder(None))
    loader.load_disk()
    return {key.name for key in loader.disk_migrations}


@lru_cache
def _statement(function: str, count: int) -> str:
    if not function.isidentifier():
        raise ValueError(f"{function!r} is not a function's name")
    places = ", ".join(f"${number}" for number in range(1, count + 1))
    return f"SELECT * FROM {function}({places})"  # noqa: S608 - An identifier and placeholders.


@contextmanager
def _lost_means(error: type[RetryLater] | type[Unavailable]) -> Iterator[None]:
    try:
        yield
    except LOST as cause:
        told = str(cause).strip() or type(cause).__name__
        raise error(f"PostgreSQL does not answer: {told}") from cause


def _config(url: str, connections: int) -> dict[str, Any]:
    pool = {"minsize": 1, "maxsize": connections, "connection_class": _Connection}
    database = {"engine": "tortoise.backends.asyncpg", "credentials": _credentials(url) | pool}
    return {"connections": {"default": database}, "apps": {"models": APP}}


async def _single(url: str) -> asyncpg.Connection:
    return await asyncpg.connect(**_credentials(url))


def _credentials(url: str) -> dict[str, Any]:
    unknown = parse_qs(urlsplit(url).query).keys() - URL_OPTIONS
    if unknown:
        raise StartupRefused(
            f"[stores] postgres: unknown option {', '.join(sorted(unknown))} in the URL;"
            f" known are {', '.join(sorted(URL_OPTIONS))}"
        )
    try:
        credentials: dict[str, Any] = expand_db_url(url)["credentials"]
    except (ConfigurationError, ValueError) as error:
        raise StartupRefused(f"[stores] postgres: not a PostgreSQL URL: {error}") from None
    if sslmode := credentials.pop("sslmode", None):
        credentials["ssl"] = sslmode
    return credentials | {"timeout": CONNECT_SECONDS, "command_timeout": COMMAND_SECONDS}
