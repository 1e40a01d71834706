"""The PostgreSQL door: connecting, migrating, checking, and one SQL function a round trip."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import lru_cache
from typing import Any, cast

import asyncpg
from asyncpg.connection import Connection
from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.context import TortoiseContext
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget
from tortoise.migrations.loader import MigrationLoader
from tortoise.migrations.recorder import MigrationRecorder
from tortoise.migrations.schema_editor import AsyncpgSchemaEditor
from tortoise.transactions import in_transaction

from models.connections import Connections
from models.database_url import credentials
from models.errors import RetryLater, StartupRefused, Unavailable
from models.lost import HEALING_SECONDS, lost_means, refused_at_the_door, refused_means_give_up

TABLES = (
    "users", "companies", "products", "customers", "sales", "agent_logs", "subscriptions",
    "hosts", "session_leases", "turns", "inbox", "outbox",
    "customer_merges", "events", "incidents", "deliveries", "alert_settings",
)  # fmt: skip
APP = {
    "models": [f"models.{table}" for table in TABLES],
    "migrations": "models.migrations",
    "default_connection": "default",
}
OLDEST_SERVER = 15
MODELS_CONNECTIONS = 2
MIGRATION_LOCK = "SELECT pg_advisory_xact_lock(hashtext('lyrox migrate'))"


class _Connection(Connection):  # type: ignore[misc]  # asyncpg is untyped.
    """Goes back to the models' pool without a reset query, a round trip of its own.

    That is safe because nothing of ours outlives a transaction: no listeners, no session
    settings, no session locks.
    """

    def get_reset_query(self) -> str:
        return ""


class Database:
    """An open database; the ORM models work while it is open."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.failures = 0
        """How many calls PostgreSQL did not answer since the start, for the metrics."""

    async def call(
        self, function: str, *args: object, asked: Callable[[], object] = lambda: None
    ) -> asyncpg.Record:
        """Run one SQL function in one round trip; its single row. JSON stays text.

        *asked* is called when a connection is free, right before the question leaves. Raises
        RetryLater when PostgreSQL cannot be asked now (whether the function ran is then
        unknown), and GiveUp when it can never take these values.
        """
        rows = await self.rows(function, *args, asked=asked)
        return rows[0]

    async def rows(
        self, function: str, *args: object, asked: Callable[[], object] = lambda: None
    ) -> list[asyncpg.Record]:
        """As `call`, for a function that returns any number of rows."""
        statement = _statement(function, len(args))
        try:
            with lost_means(RetryLater), refused_means_give_up(function):
                return await self._healed(statement, args, asked)
        except RetryLater:
            self.failures += 1
            raise

    async def _healed(
        self, statement: str, args: tuple[object, ...], asked: Callable[[], object]
    ) -> list[asyncpg.Record]:
        try:
            return await self._fetch(statement, args, asked)
        except asyncpg.InternalClientError:
            # The server had ended this idle connection and asyncpg noticed before it sent
            # anything, so asking again repeats nothing.
            await asyncio.sleep(HEALING_SECONDS)
            return await self._fetch(statement, args, asked)

    async def _fetch(
        self, statement: str, args: tuple[object, ...], asked: Callable[[], object]
    ) -> list[asyncpg.Record]:
        async with self._connections.lent() as connection:
            asked()
            try:
                return cast("list[asyncpg.Record]", await connection.fetch(statement, *args))
            except (TimeoutError, asyncio.CancelledError, asyncpg.ReadOnlySQLTransactionError):
                # The server hangs; of a standby, the next way leads to whichever server may be
                # written to.
                connection.terminate()
                raise


@asynccontextmanager
async def connect(url: str, *, connections: int = 10) -> AsyncIterator[Database]:
    """Open the models on *url* with at most *connections* connections, two or more.

    Most are for calls; the models, which nothing on a message's way asks, have two at most.
    One at a time in a process: foreign threads and later tasks find it without a context.
    Raises Unavailable when PostgreSQL cannot be reached, StartupRefused when it refuses us.
    """
    context = TortoiseContext()
    of_models = min(MODELS_CONNECTIONS, connections // 2)
    for_calls = Connections(credentials(url), connections - of_models)
    async with AsyncExitStack() as closing:
        closing.push_async_callback(context.close_connections)
        closing.push_async_callback(for_calls.close)
        with context:  # Current only while it opens; afterwards the global fallback finds it.
            await context.init(config=_config(url, of_models), _enable_global_fallback=True)
        client = cast("AsyncpgDBClient", context.connections.get("default"))
        with lost_means(Unavailable), refused_at_the_door():
            await client.create_connection(with_db=True)
        yield Database(for_calls)


async def migrate(url: str) -> list[str]:
    """Bring the schema up to this code's; returns the names applied now.

    All of it is one transaction that holds a lock, so a second run waits and a killed one leaves
    nothing half done.
    """
    applied: list[str] = []

    def note(event: str, _app: str, name: str) -> None:
        if event == "apply_done":
            applied.append(name)

    with lost_means(Unavailable), refused_at_the_door():
        async with TortoiseContext() as context:
            await context.init(config=_config(url, 1, command_timeout=None))
            async with in_transaction() as transaction:
                await transaction.execute_query(MIGRATION_LOCK)
                executor = MigrationExecutor(transaction, {"models": APP})
                await executor.recorder.ensure_schema(AsyncpgSchemaEditor(transaction))
                done = await executor.recorder.applied_migrations()
                _refuse_newer({key.name for key in done})
                await executor.migrate([MigrationTarget("models", "__latest__")], progress=note)
    return applied


async def check(url: str) -> None:
    """Refuse a database that is unmigrated, newer than the code, or whose walls we would pass."""
    async with _inspected(url) as connection:
        for look in INSPECTIONS.values():
            await look(connection)


async def inspect(url: str) -> dict[str, str]:
    """What `check` would refuse, by part; an empty text for what is fine."""
    found = {}
    async with _inspected(url) as connection:
        for part, look in INSPECTIONS.items():
            try:
                await look(connection)
                found[part] = ""
            except StartupRefused as refusal:
                found[part] = str(refusal)
    return found


@asynccontextmanager
async def _inspected(url: str) -> AsyncIterator[asyncpg.Connection]:
    with lost_means(Unavailable), refused_at_the_door():
        connection = await asyncpg.connect(**credentials(url))
        try:
            yield connection
        finally:
            await connection.close()


async def _check_server(connection: asyncpg.Connection) -> None:
    if (version := connection.get_server_version()).major < OLDEST_SERVER:
        raise StartupRefused(
            f"PostgreSQL {version.major} is too old: version {OLDEST_SERVER} to 18 is needed"
        )
    encoding = connection.get_settings().server_encoding
    if encoding != "UTF8":
        raise StartupRefused(f"the database is encoded in {encoding}: create it with UTF8")


async def _check_role(connection: asyncpg.Connection) -> None:
    query = "SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    name, passes = await connection.fetchrow(query)
    if passes:
        raise StartupRefused(
            f"the PostgreSQL role {name!r} may bypass row-level security, so company walls would"
            " not hold: connect as a role without SUPERUSER and BYPASSRLS"
        )


async def _check_version(connection: asyncpg.Connection) -> None:
    if await connection.fetchval("SELECT to_regclass('tortoise_migrations')") is None:
        applied = set()
    else:
        query = "SELECT name FROM tortoise_migrations WHERE app = 'models'"
        applied = {row["name"] for row in await connection.fetch(query)}
    _refuse_newer(applied)
    if missing := _known() - applied:
        raise StartupRefused(
            f"the database lacks {len(missing)} migration(s): run `lyrox db migrate`"
        )


INSPECTIONS: dict[str, Callable[[asyncpg.Connection], Awaitable[None]]] = {
    "server": _check_server,
    "role": _check_role,
    "migrations": _check_version,
}


def _refuse_newer(applied: set[str]) -> None:
    if newer := applied - _known():
        raise StartupRefused(
            f"the database is newer than this program (it has {', '.join(sorted(newer))}):"
            " install the newer version"
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


def _config(url: str, connections: int, **options: object) -> dict[str, Any]:
    pool = {"minsize": 1, "maxsize": connections, "connection_class": _Connection}
    database = {
        "engine": "tortoise.backends.asyncpg",
        "credentials": credentials(url) | pool | options,
    }
    return {"connections": {"default": database}, "apps": {"models": APP}}
