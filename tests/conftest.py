"""Real stores for the tests: one set of private servers, shared by every run in this checkout."""

import asyncio
import fcntl
import hashlib
import itertools
import socket
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest
from pymongo import MongoClient

from bot.embedded import services
from tests.required import (  # noqa: F401  # Hooks, which pytest finds by their names here.
    pytest_collection_modifyitems,
    pytest_required_makereport,
    pytest_terminal_summary,
)

REPOSITORY = Path(__file__).resolve().parent.parent
ROOT = REPOSITORY / "var" / "test"
SLOTS = 64  # As many as our Valkey has databases.
TEMPLATES_KEPT = 8

MakeDatabase = Callable[..., AbstractAsyncContextManager[str]]


def pytest_configure() -> None:
    """Say that there is no event loop yet, or pytest-asyncio makes one that nobody closes."""
    asyncio.set_event_loop(None)


@pytest.hookimpl(specname="pytest_collection_modifyitems")
def pytest_long_ones_first(items: list[pytest.Item]) -> None:
    """Begin with the files that wait most: no worker is left alone with one at the end."""
    long = [REPOSITORY / "tests" / name for name in ("system", "faults", "road")]
    items.sort(key=lambda item: item.path.parent not in long)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Spell out lone surrogates in what a test logged: they cannot travel between processes."""
    report = yield
    report.sections = [
        (title, text.encode("utf-8", "backslashreplace").decode())
        for title, text in report.sections
    ]
    return report


@pytest.fixture(scope="session")
def stores() -> Iterator[dict[str, str]]:
    """URLs of real servers: ``postgres``, ``admin`` (a superuser's), ``valkey``, ``mongod``."""
    with services(ROOT, fast=True) as uris:
        yield uris


@pytest.fixture(scope="session")
def slot() -> Iterator[int]:
    """A number no other test run holds at this time; the kernel frees it with the process."""
    folder = ROOT / "slots"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, SLOTS):
        with (folder / str(number)).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield number
            return
    pytest.fail(f"all {SLOTS} slots under {folder} are taken: end some test runs")


@pytest.fixture(scope="session")
def admin_url(stores: dict[str, str]) -> str:
    """The superuser's URL, for what only an administrator can do."""
    return stores["admin"]


@pytest.fixture(scope="session")
async def make_database(stores: dict[str, str], slot: int) -> MakeDatabase:
    """``async with make_database(template=None) as url``: a fresh database of the role ``app``.

    What a killed run left behind under the same slot is dropped first.
    """
    numbers = itertools.count(1)
    await _drop_leftovers(stores["admin"], f"test_{slot}_")

    @asynccontextmanager
    async def make(template: str = "template0") -> AsyncIterator[str]:
        name = f"test_{slot}_{next(numbers)}"
        await _command(stores["admin"], f"CREATE DATABASE {name} OWNER app TEMPLATE {template}")
        try:
            yield _database_url(stores, name)
        finally:
            await _command(stores["admin"], f"DROP DATABASE {name} WITH (FORCE)")

    return make


@pytest.fixture(scope="session")
async def template(stores: dict[str, str], make_database: MakeDatabase) -> str:
    """The name of a migrated database to clone; made once for each state of ``models/``."""
    name = f"template_{_fingerprint(REPOSITORY / 'models')}"
    connection = await asyncpg.connect(stores["admin"])
    try:
        await connection.execute("SELECT pg_advisory_lock(hashtext('lyrox test template'))")
        known = "SELECT true FROM pg_database WHERE datname = $1"
        if not await connection.fetchval(known, name):
            await _make_template(connection, stores, name)
    finally:
        await connection.close()
    return name


@pytest.fixture
async def database(make_database: MakeDatabase, template: str) -> AsyncIterator[str]:
    """A fresh, migrated database: its URL for the unprivileged role ``app``."""
    async with make_database(template) as url:
        yield url


@pytest.fixture
async def bare_database(make_database: MakeDatabase) -> AsyncIterator[str]:
    """A fresh, empty database, for tests of the migrations themselves."""
    async with make_database() as url:
        yield url


@pytest.fixture
def redis_url(stores: dict[str, str], slot: int) -> str:
    """An emptied Valkey database that belongs to this run alone."""
    url = urlsplit(stores["valkey"])
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(unquote(url.path))
        client.sendall(f"SELECT {slot}\r\nFLUSHDB\r\n".encode())
        answer = b""
        while answer.count(b"\r\n") < 2:
            answer += client.recv(64)
    assert answer == b"+OK\r\n+OK\r\n"
    return f"unix://{url.path}?db={slot}"


@pytest.fixture(scope="session")
def mongo_url(stores: dict[str, str]) -> str:
    """The URL of the test mongod; take a `mongo_database` beside it."""
    return stores["mongod"]


@pytest.fixture(scope="session")
def mongo_client(mongo_url: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """A plain blocking client, to look at what the code under test has stored."""
    with MongoClient[dict[str, Any]](mongo_url, tz_aware=True) as client:
        yield client


@pytest.fixture
def mongo_database(mongo_client: MongoClient[dict[str, Any]], slot: int) -> Iterator[str]:
    """The name of an empty Mongo database that belongs to this run alone."""
    name = f"test_{slot}"
    mongo_client.drop_database(name)
    yield name
    mongo_client.drop_database(name)


async def _make_template(
    connection: "asyncpg.Connection[asyncpg.Record]", stores: dict[str, str], name: str
) -> None:
    from models.database import migrate

    draft = f"{name}_draft"
    await connection.execute(f"DROP DATABASE IF EXISTS {draft} WITH (FORCE)")
    await connection.execute(f"CREATE DATABASE {draft} OWNER app TEMPLATE template0")
    await migrate(_database_url(stores, draft))
    await connection.execute(f"ALTER DATABASE {draft} WITH ALLOW_CONNECTIONS false")
    await connection.execute(f"ALTER DATABASE {draft} RENAME TO {name}")
    old = await connection.fetch(
        "SELECT datname FROM pg_database WHERE datname ~ '^template_.{16}$'"
        " ORDER BY oid DESC OFFSET $1",
        TEMPLATES_KEPT,
    )
    for row in old:
        await connection.execute(f"DROP DATABASE IF EXISTS {row['datname']}")


async def _drop_leftovers(admin: str, prefix: str) -> None:
    connection = await asyncpg.connect(admin)
    try:
        query = "SELECT datname FROM pg_database WHERE starts_with(datname, $1)"
        for row in await connection.fetch(query, prefix):
            await connection.execute(f"DROP DATABASE IF EXISTS {row['datname']} WITH (FORCE)")
    finally:
        await connection.close()


async def _command(admin: str, sql: str) -> None:
    connection = await asyncpg.connect(admin)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def _database_url(stores: dict[str, str], name: str) -> str:
    return urlsplit(stores["postgres"])._replace(path=f"/{name}").geturl()


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted([*folder.rglob("*.py"), *folder.rglob("*.sql")]):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
