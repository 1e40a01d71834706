"""Daemons for the tests: on the shared test stores, with phones that are files."""

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from uuid import UUID

import asyncpg
import pytest
from pymongo import MongoClient

from bot.whatsapp.files import CompanyFiles, Pairing
from tests.builders import admin, make_company
from tests.conftest import MakeDatabase
from tests.fakes.connection import SessionFile
from tests.fakes.openai_server import FakeOpenAI
from tests.system.phone import Phones
from tests.system.process import QUICK, Home
from tests.system.takeover import Shop, open_shop
from tests.system.valve import Valve, valve
from tests.system.warm import Child, Warm, warm

OWN = "5215512345678"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
async def nursery(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Warm]:
    """Commands and daemons that start at once."""
    async with warm(tmp_path_factory.mktemp("nursery")) as opened:
        yield opened


@pytest.fixture
def store_urls(
    database: str, redis_url: str, mongo_url: str, mongo_database: str
) -> dict[str, str]:
    """A ``[stores]`` section on the shared test stores."""
    return {
        "postgres": database,
        "redis": redis_url,
        "mongo": mongo_url,
        "mongo_database": mongo_database,
    }


@dataclass
class Valves:
    """What stands between a daemon and its stores."""

    postgres: Valve
    redis: Valve
    mongo: Valve


@dataclass
class Scene:
    """A company with a paired phone, its customers, the stores behind it, and one daemon."""

    home: Home
    nursery: Warm
    phones: Phones
    company: UUID
    llm: FakeOpenAI
    url: str
    look: asyncpg.Connection
    valves: Valves
    history: Callable[[], list[dict[str, Any]]]
    asked: dict[str, str] = field(default_factory=dict)
    daemon: Child | None = None

    def customer(self) -> str:
        """A number that no other test writes from."""
        return f"1305{next(_numbers):07}"

    def write(self, phone: str, text: str = "hola", company: UUID | None = None) -> str:
        """The customer writes; the message's id."""
        wa_id = f"WA{next(_numbers):06}"
        self.asked[phone] = text
        self.phones.write(company or self.company, phone, text, wa_id)
        return wa_id

    async def start(self) -> Child:
        """A daemon that is ready, if none runs yet."""
        if self.daemon is None or not self.daemon.alive:
            daemon = await self.nursery.start(self.home, self.phones.folder, run="daemon")
            await daemon.until("ready")
            self.daemon = daemon
        return self.daemon

    async def kill(self) -> None:
        """The daemon, and nobody tells it before."""
        assert self.daemon
        assert await self.daemon.send(signal.SIGKILL) == -signal.SIGKILL

    async def until(self, claim: Callable[[], Awaitable[Any]], seconds: float = 50) -> None:
        """Wait until *claim* holds."""
        async with asyncio.timeout(seconds):
            while not await claim():  # noqa: ASYNC110 - The claim is about files and databases.
                await asyncio.sleep(0.005)

    async def states(self, phone: str, table: str) -> list[str]:
        """Where the customer's rows of a ledger table stand."""
        rows = await self.look.fetch(
            f"SELECT t.state FROM {table} t JOIN customers c ON c.id = t.customer_id"  # noqa: S608
            " WHERE c.phone = $1 ORDER BY 1",
            f"+{phone}",
        )
        return [row["state"] for row in rows]

    async def closed(self, phone: str) -> bool:
        """Whether the customer's ledger says: answered once, and nothing open."""
        return (
            await self.states(phone, "inbox") == ["answered"]
            and await self.states(phone, "turns") == ["answered"]
            and await self.states(phone, "outbox") == ["sent"]
        )

    def remembered(self, phone: str) -> list[tuple[str, str]]:
        """Who said what, as the conversation documents have it."""
        return [
            (line["sender"], line["content"])
            for document in self.history()
            if document["customerPhone"] == f"+{phone}"
            for line in document["messages"]
        ]


@pytest.fixture(scope="module")
def sockets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short name, as the paths of sockets must be."""
    return tmp_path_factory.mktemp("s")


@pytest.fixture(scope="module")
async def valves(stores: dict[str, str], sockets: Path) -> AsyncIterator[Valves]:
    """Valves before the shared PostgreSQL, Valkey and mongod."""
    async with open_valves(stores, sockets) as opened:
        yield opened


@pytest.fixture(scope="module")
async def module_database(make_database: MakeDatabase, template: str) -> AsyncIterator[str]:
    """One migrated database for the tests of a module."""
    async with make_database(template) as url:
        yield url


@pytest.fixture(scope="module")
def module_history(
    mongo_client: MongoClient[dict[str, Any]], slot: int
) -> Iterator[tuple[str, Callable[[], list[dict[str, Any]]]]]:
    """A Mongo database of the module, and its conversations."""
    name = f"system_{slot}"
    mongo_client.drop_database(name)
    yield name, lambda: list(mongo_client[name].conversations.find())
    mongo_client.drop_database(name)


@pytest.fixture(scope="module")
def module_urls(
    module_database: str,
    module_history: tuple[str, Callable[[], list[dict[str, Any]]]],
    stores: dict[str, str],
    slot: int,
) -> dict[str, str]:
    """A ``[stores]`` section: the shared stores, with databases of the module's own."""
    return {
        "postgres": module_database,
        "redis": f"unix://{urlsplit(stores['valkey']).path}?db={slot}",
        "mongo": stores["mongod"],
        "mongo_database": module_history[0],
    }


@pytest.fixture(scope="module")
async def scene(
    nursery: Warm,
    valves: Valves,
    module_database: str,
    module_history: tuple[str, Callable[[], list[dict[str, Any]]]],
    stores: dict[str, str],
    slot: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Scene]:
    """One company for the tests of a module; each test has customers of its own."""
    folder = tmp_path_factory.mktemp("scene")
    company = await make_company(module_database, slug="panaderia")
    async with FakeOpenAI() as llm:
        home = Home(
            folder,
            stores=behind(valves, module_database, stores, slot, module_history[0]),
            daemon={"drain_seconds": 2.0},
            conversation={**QUICK, "pace_seconds_per_character": 1.0, "pace_longest_seconds": 0.05},
            llm={"targets": [{"name": "fake", "model": "m", "base_url": llm.url, "api_key": ""}]},
        )
        pair(home, company)
        look = await admin(module_database)
        phones = Phones(folder / "phones")
        made = Scene(
            home, nursery, phones, company, llm, module_database, look, valves, module_history[1]
        )
        try:
            yield made
        finally:
            if made.daemon is not None:
                await made.daemon.send(signal.SIGKILL)
            await look.close()


def pair(home: Home, company: UUID, number: str = OWN) -> None:
    """As if a phone had been paired yesterday."""
    files = CompanyFiles(home.state_dir, company)
    SessionFile(files.session).pair(number)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    files.write_note(Pairing(f"{number}:1@s.whatsapp.net", "1@lid", "android", yesterday))


@asynccontextmanager
async def open_valves(stores: dict[str, str], sockets: Path) -> AsyncIterator[Valves]:
    """Valves before these servers; *sockets* is a folder with a short name."""
    host = parse_qs(urlsplit(stores["postgres"]).query)["host"][0]
    async with (
        valve(Path(host, ".s.PGSQL.5432"), sockets / ".s.PGSQL.5432") as postgres,
        valve(Path(unquote(urlsplit(stores["valkey"]).path)), sockets / "valkey.sock") as redis,
        valve(
            Path(unquote(urlsplit(stores["mongod"]).hostname or "")), sockets / "m.sock"
        ) as mongo,
    ):
        yield Valves(postgres, redis, mongo)


def behind(
    valves: Valves, database: str, stores: dict[str, str], slot: int, mongo_database: str
) -> dict[str, str]:
    """A ``[stores]`` section that leads through the valves."""
    postgres, mongo = urlsplit(database), urlsplit(stores["mongod"])
    path = quote(str(valves.mongo.front), safe="")
    return {
        "postgres": postgres._replace(query=f"host={valves.postgres.front.parent}").geturl(),
        "redis": f"unix://{valves.redis.front}?db={slot}",
        "mongo": mongo._replace(netloc=path).geturl(),
        "mongo_database": mongo_database,
    }


@pytest.fixture(scope="module")
async def opened_shop(
    module_urls: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    """A company whose phone is paired with the real client, on the shared stores; no daemon."""
    async with open_shop(tmp_path_factory.mktemp("shop"), module_urls) as shop:
        yield shop
