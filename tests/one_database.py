"""One migrated database for a whole file, whose tests have companies of their own.

A file takes the fixtures by their names: ``from tests.one_database import database, db, look``.
"""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from models.database import Database, connect
from tests.builders import admin
from tests.conftest import MakeDatabase

__all__ = ["database", "db", "look"]


@pytest.fixture(scope="module")
async def database(make_database: MakeDatabase, template: str) -> AsyncIterator[str]:
    """Its URL."""
    async with make_database(template) as url:
        yield url


@pytest.fixture(scope="module")
async def db(database: str) -> AsyncIterator[Database]:
    """Open, for the models and their verbs."""
    async with connect(database, connections=4) as opened:
        yield opened


@pytest.fixture(scope="module")
async def look(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A plain connection, for arranging and for looking."""
    connection = await admin(database)
    yield connection
    await connection.close()
