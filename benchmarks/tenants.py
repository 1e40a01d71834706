"""The companies of a benchmark of sessions, of which as many are active as it wants."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
from pymongo import AsyncMongoClient

from benchmarks.population import drop, forget, in_system_scope, urls_at, write_companies
from bot.stores import Urls
from models.database import migrate


@dataclass(frozen=True)
class Tenants:
    """Companies in databases of their own."""

    ids: list[UUID]
    urls: Urls
    connection: asyncpg.Connection

    async def activate(self, count: int) -> None:
        """Let the first *count* be active, and no other."""
        await self.connection.execute(
            "UPDATE companies SET active = (id = ANY ($1))", self.ids[:count]
        )

    async def unanswered(self) -> int:
        """Messages that the ledger has accepted and that are neither answered nor silenced."""
        count = await self.connection.fetchval(
            "SELECT count(*) FROM inbox WHERE sender = 'customer' AND state = 'pending'"
        )
        return int(count)


@asynccontextmanager
async def tenants(
    count: int, servers: dict[str, str], name: str, slot: int
) -> AsyncIterator[Tenants]:
    """Fresh databases *name* and an emptied Redis database *slot*; dropped at the end."""
    admin = await asyncpg.connect(servers["admin"])
    urls = urls_at(servers, name, slot)
    async with AsyncMongoClient[dict[str, object]](servers["mongod"]) as mongo:
        try:
            await drop(admin, mongo, name)
            await admin.execute(f"CREATE DATABASE {name} OWNER app TEMPLATE template0")
            await migrate(urls.postgres)
            await forget(urls.redis)
            connection = await in_system_scope(urls.postgres)
            made = Tenants([uuid4() for _ in range(count)], urls, connection)
            await write_companies(connection, made.ids)
            yield made
            await connection.close()
        finally:
            await drop(admin, mongo, name)
            await admin.close()
