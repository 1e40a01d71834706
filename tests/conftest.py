"""Real stores for the tests: one set of private servers, shared by every run in this checkout."""

import asyncio
import itertools
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from pymongo import MongoClient

from bot.embedded import services
from tests import databases
from tests.databases import REPOSITORY, ROOT
from tests.required import (  # noqa: F401  # Hooks, which pytest finds by their names here.
    pytest_collection_modifyitems,
    pytest_required_makereport,
    pytest_terminal_summary,
)

MakeDatabase = Callable[..., AbstractAsyncContextManager[str]]


def pytest_configure() -> None:
    """Say that there is no event loop yet, or pytest-asyncio makes one that nobody closes.

    Python keeps what it compiles, whatever the machine says: hundreds of processes are started.
    """
    asyncio.set_event_loop(None)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


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
        yield asyncio.run(databases.elsewhere(uris))


@pytest.fixture(scope="session")
def slot() -> Iterator[int]:
    """A number no other test run holds at this time; the kernel frees it with the process."""
    with databases.slot_of_ours() as number:
        yield number


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
    await databases.drop_leftovers(stores, f"test_{slot}_")

    @asynccontextmanager
    async def make(template: str = "template0") -> AsyncIterator[str]:
        name = f"test_{slot}_{next(numbers)}"
        url = await databases.create(stores, name, template)
        try:
            yield url
        finally:
            await databases.drop(stores, name)

    return make


@pytest.fixture(scope="session")
async def template(stores: dict[str, str], make_database: MakeDatabase) -> str:
    """The name of a migrated database to clone; made once for each state of ``models/``."""
    return await databases.template(stores)


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
