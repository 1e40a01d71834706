"""Two companies in one real daemon, stores that a test may break, and a crowd of customers."""

import itertools
import signal
import tempfile
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

import asyncpg
from redis.asyncio import Redis

from models.database import migrate
from tests.builders import admin, make_company
from tests.fakes.openai_server import FakeOpenAI
from tests.faults.crowd import Crowd
from tests.faults.private_stores import Store, private_stores
from tests.faults.tally import Row, add
from tests.system.conftest import Valves, pair
from tests.system.phone import Phones
from tests.system.process import QUICK, Home
from tests.system.valve import valve
from tests.system.warm import Child, Warm

EACH = 6
_TIMES = {
    "inbox": ("received_at",),
    "turns": ("claimed_at", "due_at", "closed_at"),
    "outbox": ("created_at", "sending_at", "sent_at"),
    "customers": ("noticed_at", "limited_until", "paused_until"),
}
MODEL_SECONDS = 0.4
"""So that something breaks while the model is asked, too."""
_UNCONFIRMED = (
    "SELECT o.content FROM outbox o JOIN customers c ON c.id = o.customer_id"
    " WHERE NOT o.confirmed AND c.phone = ANY ($1)"
)
_seeds = itertools.count(1)


@dataclass
class Town:
    """What a test of faults has in its hands; the daemon meets its stores through the valves."""

    home: Home
    nursery: Warm
    phones: Phones
    llm: FakeOpenAI
    companies: Mapping[UUID, str]
    stores: Mapping[str, Store]
    valves: Valves
    url: str
    daemon: Child | None = None

    async def start(self) -> Child:
        """A daemon that is ready, if none runs yet."""
        if self.daemon is None or not self.daemon.alive:
            self.daemon = await self.nursery.start(self.home, self.phones.folder, run="daemon")
            await self.daemon.until("ready")
        return self.daemon

    async def kill(self) -> None:
        """The daemon, and nobody tells it before."""
        if self.daemon is not None:
            await self.daemon.send(signal.SIGKILL)

    async def jump(self, by: float) -> None:
        """All clocks of ours jump *by* seconds, so what they have stamped lies farther away."""
        async with looking(self.url) as look:
            for table, columns in _TIMES.items():
                moved = ", ".join(f"{one} = {one} - make_interval(secs => $1)" for one in columns)
                await look.execute(f"UPDATE {table} SET {moved}", by)  # noqa: S608
        redis = Redis.from_url(f"unix://{self.stores['redis'].socket}")
        async with redis:
            for key in await redis.keys():
                if (left := await redis.pttl(key)) > 0:
                    await redis.pexpire(key, int(left - 1000 * by))

    async def stop(self) -> None:
        """End the daemon in good order."""
        if self.daemon is not None:
            await self.daemon.send(signal.SIGTERM)

    def crowd(self, *, each: int = EACH, ends_with: Collection[str] = ()) -> Crowd:
        """New customers, whom the model answers from now on; see `Crowd` for *ends_with*."""
        seed = next(_seeds)
        crowd = Crowd(self.phones, self.companies, each=each, seed=seed, ends_with=ends_with)
        self.llm.always(crowd.echo(seconds=MODEL_SECONDS))
        return crowd

    async def unresolved(self, crowd: Crowd) -> int:
        """How many replies to the crowd stayed unconfirmed."""
        async with looking(self.url) as look:
            return len(await _unconfirmed(look, crowd))

    async def verdict(self, fault: str, crowd: Crowd, well: float | None) -> Row:
        """The row of this try, which also goes into the table."""
        async with looking(self.url) as look:
            return await verdict(look, fault, crowd, well)


async def verdict(look: asyncpg.Connection, fault: str, crowd: Crowd, well: float | None) -> Row:
    """The row of one try, which also goes into the table; *look* sees the ledger."""
    unconfirmed = await _unconfirmed(look, crowd)
    crowd.takes_as_sent(unconfirmed)
    row = crowd.row(fault, well=well, unresolved=len(unconfirmed))
    add(row)
    return row


async def _unconfirmed(look: asyncpg.Connection, crowd: Crowd) -> list[str]:
    phones = [f"+{person.phone}" for person in crowd.people]
    return [row["content"] for row in await look.fetch(_UNCONFIRMED, phones)]


@asynccontextmanager
async def looking(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A look into the database; anew each time, because an old one may have been cut off."""
    look = await admin(url)
    try:
        yield look
    finally:
        await look.close()


@asynccontextmanager
async def open_town(
    folder: Path, nursery: Warm, *, try_seconds: float = 12.0, **sections: Mapping[str, Any]
) -> AsyncIterator[Town]:
    """Stores, companies and phones; no daemon yet. *try_seconds*: the model's target's."""
    with tempfile.TemporaryDirectory(prefix="lyrox-") as sockets:
        async with (
            private_stores(folder / "stores") as (uris, stores),
            _valves(stores, Path(sockets)) as valves,
            FakeOpenAI() as llm,
        ):
            llm.keep_log = False
            url = uris["postgres"]
            await migrate(url)
            companies = {
                await make_company(url, slug=slug): slug.title() for slug in ("panaderia", "taller")
            }
            target = {"name": "fake", "model": "m", "base_url": llm.url, "api_key": ""}
            targets = {"targets": [{**target, "try_seconds": try_seconds}]}
            home = _home(folder, _urls(url, valves), targets, sections)
            for number, company in enumerate(companies):
                pair(home, company, f"521551234567{number}")
            phones = Phones(folder / "phones")
            town = Town(home, nursery, phones, llm, companies, stores, valves, url)
            try:
                yield town
            finally:
                if town.daemon is not None:
                    await town.daemon.send(signal.SIGKILL)


@asynccontextmanager
async def _valves(stores: Mapping[str, Store], sockets: Path) -> AsyncIterator[Valves]:
    async with (
        valve(stores["postgres"].socket, sockets / ".s.PGSQL.5432") as postgres,
        valve(stores["redis"].socket, sockets / "valkey.sock") as redis,
        valve(stores["mongo"].socket, sockets / "m.sock") as mongo,
    ):
        yield Valves(postgres, redis, mongo)


def _urls(url: str, valves: Valves) -> dict[str, str]:
    mongo = quote(str(valves.mongo.front), safe="")
    return {
        "postgres": urlsplit(url)._replace(query=f"host={valves.postgres.front.parent}").geturl(),
        "redis": f"unix://{valves.redis.front}?db=0",
        "mongo": f"mongodb://{mongo}/?journal=true",
        "mongo_database": "town",
    }


def _home(
    folder: Path,
    urls: Mapping[str, str],
    llm: Mapping[str, Any],
    sections: Mapping[str, Mapping[str, Any]],
) -> Home:
    usual: dict[str, Mapping[str, Any]] = {
        "stores": urls,
        "daemon": {"drain_seconds": 2.0},
        "conversation": {**QUICK, "reply_parts": 1},
        "limits": {"messages_per_minute": 1000, "robot_turns": 0},
        "llm": llm,
        "alerts": {"whatsapp": False},
    }
    names = {*usual, *sections}
    merged = {name: {**usual.get(name, {}), **sections.get(name, {})} for name in names}
    return Home(folder, **merged)
