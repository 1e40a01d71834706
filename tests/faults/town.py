"""Two companies in one real daemon, stores that a test may break, and a crowd of customers."""

import itertools
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

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

    def crowd(self, *, each: int = EACH, model_seconds: float = 0.0) -> Crowd:
        """New customers, whom the model answers from now on."""
        crowd = Crowd(self.phones, self.companies, each=each, seed=next(_seeds))
        self.llm.always(crowd.echo(seconds=model_seconds))
        return crowd

    async def unresolved(self, crowd: Crowd) -> int:
        """How many replies to the crowd stayed unconfirmed."""
        query = (
            "SELECT count(*) FROM outbox o JOIN customers c ON c.id = o.customer_id"
            " WHERE NOT o.confirmed AND c.phone = ANY ($1)"
        )
        phones = [f"+{person.phone}" for person in crowd.people]
        look = await admin(self.url)  # Anew: an old one may have been cut off.
        try:
            return int(await look.fetchval(query, phones))
        finally:
            await look.close()

    async def verdict(self, fault: str, crowd: Crowd, well: float | None) -> Row:
        """The row of this try, which also goes into the table."""
        row = crowd.row(fault, well=well, unresolved=await self.unresolved(crowd))
        add(row)
        return row


@asynccontextmanager
async def open_town(
    folder: Path, nursery: Warm, *, direct: bool = False, **sections: Mapping[str, Any]
) -> AsyncIterator[Town]:
    """Stores, companies and phones; no daemon yet. *direct*: past the valves."""
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
            places = stores if direct else None
            home = _home(folder, _urls(url, valves, places), llm, sections)
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


def _urls(url: str, valves: Valves, direct: Mapping[str, Store] | None) -> dict[str, str]:
    places = {name: getattr(valves, name).front for name in ("postgres", "redis", "mongo")}
    if direct is not None:
        places = {name: store.socket for name, store in direct.items()}
    return {
        "postgres": urlsplit(url)._replace(query=f"host={places['postgres'].parent}").geturl(),
        "redis": f"unix://{places['redis']}?db=0",
        "mongo": f"mongodb://{quote(str(places['mongo']), safe='')}/?journal=true",
        "mongo_database": "town",
    }


def _home(
    folder: Path, urls: Mapping[str, str], llm: FakeOpenAI, sections: Mapping[str, Any]
) -> Home:
    target = {"name": "fake", "model": "m", "base_url": llm.url, "api_key": ""}
    usual: dict[str, Mapping[str, Any]] = {
        "stores": urls,
        "daemon": {"drain_seconds": 2.0},
        "conversation": {**QUICK, "reply_parts": 1},
        "limits": {"messages_per_minute": 1000, "robot_turns": 0},
        "llm": llm,
    }
    names = {*usual, *sections}
    merged = {name: {**usual.get(name, {}), **sections.get(name, {})} for name in names}
    return Home(folder, **merged)
