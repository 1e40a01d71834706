"""The whole road on real stores, with a fake wire at its end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import pytest

from bot.config import Settings
from bot.hosts import Host
from bot.llm import open_model
from bot.metrics import Metrics
from bot.road import Ring, Road, open_road
from bot.stores import Stores, Urls, open_stores
from handlers import Handler, build, load_prompts
from models.database import Database
from models.errors import RetryLater
from models.values import InboundMessage, Reply, Silence, Turn
from tests.bot.conftest import private_valkey
from tests.builders import admin, make_company
from tests.fakes.wire import FakeWire

QUICK: dict[str, Any] = {
    "conversation": {
        "quiet_seconds": 0,
        "longest_seconds": 0,
        "pace_seconds_per_character": 0,
        "pace_longest_seconds": 0,
    },
    "daemon": {"drain_seconds": 5},
}


@dataclass
class Echo:
    """A handler that wants everything and says what it was told to, or what it heard."""

    name: str = "persona"
    says: Callable[[Turn], Reply | Silence] | None = None
    seconds: float = 0.0
    failures: list[Exception] = field(default_factory=list)
    asked: list[Turn] = field(default_factory=list)

    def wants(self, _: Turn) -> bool:
        return True

    async def answer(self, turn: Turn) -> Reply | Silence:
        self.asked.append(turn)
        await asyncio.sleep(self.seconds)
        if self.failures:
            raise self.failures.pop(0)
        return self.says(turn) if self.says else Reply((f"oí: {turn.text}",), self.name)


@dataclass
class Unsteady:
    """A database that loses its connection, and lets a test act, around chosen steps."""

    database: Database
    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    lost_before: list[str] = field(default_factory=list)
    lost_after: list[str] = field(default_factory=list)
    called: list[str] = field(default_factory=list)

    async def call(self, function: str, *args: object, **options: Any) -> Any:
        self.called.append(function)
        if act := self.before.get(function):
            act()
        self._lose(function, self.lost_before)
        row = await self.database.call(function, *args, **options)
        self._lose(function, self.lost_after)
        return row

    async def rows(self, function: str, *args: object) -> Any:
        return await self.database.rows(function, *args)

    def _lose(self, function: str, planned: list[str]) -> None:
        if function in planned:
            planned.remove(function)
            raise RetryLater(f"connection lost around {function}")


@dataclass
class Scene:
    """A company on an open road, its customers' phones, and a look into PostgreSQL."""

    road: Road
    stores: Stores
    database: Unsteady
    wire: FakeWire
    company: UUID
    look: asyncpg.Connection

    async def receive(self, *messages: InboundMessage) -> None:
        for one in messages:
            await self.road.intake.accept(one)

    async def until(self, claim: Callable[[], Awaitable[bool]], seconds: float = 50) -> None:
        """Wait until *claim* holds."""
        async with asyncio.timeout(seconds):
            while not await claim():  # noqa: ASYNC110 - The claim is about a database.
                await asyncio.sleep(0.01)

    async def arrived(self, count: int) -> list[str]:
        """What reached the phones once *count* texts did, and a moment later."""

        async def enough() -> bool:
            return len(self.wire.arrived) >= count

        await self.until(enough)
        await asyncio.sleep(0.1)
        return self.wire.texts()

    async def rows(self, table: str, column: str = "state") -> list[Any]:
        query = f"SELECT {column} FROM {table} ORDER BY 1"  # noqa: S608
        return [row[0] for row in await self.look.fetch(query)]


__all__ = ["private_valkey"]

OpenScene = Callable[..., AbstractAsyncContextManager[Scene]]


@pytest.fixture
async def look(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await admin(database)
    yield connection
    await connection.close()


@pytest.fixture
def store_urls(database: str, redis_url: str, stores: dict[str, str]) -> Urls:
    return Urls(database, redis_url, stores["mongod"])


@pytest.fixture
def open_scene(
    store_urls: Urls, mongo_database: str, look: asyncpg.Connection, tmp_path: Path
) -> OpenScene:
    """``async with open_scene(handlers=…, settings=…) as scene``."""

    @asynccontextmanager
    async def make(
        *,
        handlers: Sequence[Handler] | None = None,
        company: UUID | None = None,
        host: UUID | None = None,
        ring: Ring | None = None,
        heard: Callable[[], bool] = lambda: True,
        wire: FakeWire | None = None,
        attach: bool = True,
        urls: Urls = store_urls,
        **changes: Any,
    ) -> AsyncIterator[Scene]:
        settings = Settings.model_validate(
            {**QUICK, **changes, "stores": {"mongo_database": mongo_database}}
        )
        prompts = load_prompts()
        company = company or await make_company(urls.postgres)
        host_id = host or uuid4()
        async with (
            open_stores(settings, urls) as stores,
            open_model(settings.llm, prompts, secrets=lambda _: None) as model,
            open_road(
                settings,
                replace(stores, database=cast("Database", unsteady := Unsteady(stores.database))),
                handlers or build(model, prompts, settings.conversation.pause_minutes),
                prompts=prompts,
                host=Host(host_id, "test", 0, "daemon"),
                metrics=Metrics(),
                ring=ring,
                heard=heard,
            ) as road,
        ):
            wire = wire or FakeWire(company)
            if attach:
                fence = await road.ledger.lease(company, host_id)
                await road.delivery.attach(wire, fence or 0)
            marking = asyncio.ensure_future(road.memory.run())
            try:
                yield Scene(road, stores, unsteady, wire, company, look)
            finally:
                marking.cancel()

    return make
