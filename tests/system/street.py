"""A street of companies in one real daemon, whose phones are on the loopback server.

The server and its customers are a process of their own, the language model an echo in ours. The
echo answers a message with its own words, but only where the prompt is that of the company to
which the message was written.
"""

import asyncio
import contextlib
import json
import re
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from aiohttp import web

from benchmarks.whatsapp import WhatsApp, whatsapp
from tests.builders import admin, make_company
from tests.fakes.openai_server import Act, FakeOpenAI, says
from tests.system.process import LYROX, Daemon, Home, running, spawned

NEWCOMER = "local-nuevo"
TEXT = "pedido {owner} {customer} {number}"
_ASKED = re.compile(r"pedido (\d+) \d+ \d+")
_NO_WAIT = {
    "quiet_seconds": 0.0,
    "longest_seconds": 0.0,
    "pace_seconds_per_character": 0.0,
    "pace_longest_seconds": 0.0,
}


@dataclass
class Street:
    """The companies by their place in the street, and what stands around them."""

    server: WhatsApp
    home: Home
    llm: FakeOpenAI
    look: asyncpg.Connection
    companies: list[UUID]
    newcomer: UUID
    """One more, active and never paired; its slug is `NEWCOMER`."""
    numbers: dict[str, str] = field(default_factory=dict)
    """The companies' names, by their owners' numbers."""

    @contextlib.asynccontextmanager
    async def daemon(self, count: int) -> AsyncIterator[Daemon]:
        """A daemon with the first *count* companies connected; killed at the end if it runs."""
        active = [self.newcomer, *self.companies[:count]]
        await self.look.execute("UPDATE companies SET active = id = ANY ($1)", active)
        async with running(self.home, env=self.server.environment) as daemon:
            await daemon.ready()
            await self.server.do("online", count=count, seconds=120)
            yield daemon

    @contextlib.asynccontextmanager
    async def pairing(self) -> AsyncIterator[Process]:
        """``lyrox pair`` for the newcomer, with a code on show."""
        words = ("pair", NEWCOMER, "--json", "--config", self.home.config)
        async with spawned(LYROX, *words, env=self.server.environment) as pairing:
            assert pairing.stdout
            shown = json.loads(await pairing.stdout.readline())
            assert shown["event"] == "qr", shown
            yield pairing

    def number_of(self, company: UUID) -> str:
        """The number of a company's owner."""
        name = f"Local-{self.companies.index(company):03}"
        return next(number for number, known in self.numbers.items() if known == name)

    async def drive(self, count: int, **words: object) -> Mapping[str, Any]:
        """Customers of the first *count* companies write; each reply must repeat its message."""
        companies = self.companies[:count]
        found: dict[str, Any] = await self.server.do(
            "drive", companies=companies, text=TEXT, echoes=True, **words
        )
        return found

    async def unread(self) -> int:
        """Replies that nobody waited for."""
        figures: dict[str, int] = await self.server.do("figures")
        return figures["unread"]

    async def counts(self, table: str) -> dict[str, int]:
        """How many rows of a ledger table stand where."""
        query = f"SELECT state, count(*) AS n FROM {table} GROUP BY state"  # noqa: S608
        return {row["state"]: row["n"] for row in await self.look.fetch(query)}

    async def sent(self, count: int) -> None:
        """Wait until so many replies have left."""
        while (await self.counts("outbox")).get("sent", 0) < count:  # noqa: ASYNC110 - A database.
            await asyncio.sleep(0.02)

    def echo(self) -> Act:
        """The words of the newest message, if this is the prompt of its company."""

        async def act(request: web.Request) -> web.StreamResponse:
            messages = json.loads(await request.read())["messages"]
            asked = list(_ASKED.finditer(messages[-1]["content"]))[-1]
            ours = self.numbers[asked[1]] in messages[0]["content"]
            return await says(asked[0] if ours else "de otra empresa")(request)

        return act


@contextlib.asynccontextmanager
async def open_street(folder: Path, stores: Mapping[str, str], count: int) -> AsyncIterator[Street]:
    """*count* paired companies on fresh stores."""
    async with FakeOpenAI() as llm, whatsapp(folder / "server") as server:
        llm.keep_log = False
        target = {"name": "echo", "model": "m", "base_url": llm.url, "api_key": ""}
        home = Home(
            folder,
            stores=stores,
            conversation=_NO_WAIT,
            limits={"messages_per_minute": 0, "robot_turns": 0},
            llm={"targets": [target]},
        )
        look = await admin(stores["postgres"])
        slugs = [f"local-{number:03}" for number in range(count)]
        companies = [await make_company(stores["postgres"], slug=slug) for slug in slugs]
        newcomer = await make_company(stores["postgres"], slug=NEWCOMER)
        street = Street(server, home, llm, look, companies, newcomer)
        await _pair(street, slugs)
        llm.always(street.echo())
        try:
            yield street
        finally:
            await look.close()


async def _pair(street: Street, slugs: Sequence[str]) -> None:
    state_dir, companies = str(street.home.state_dir), street.companies
    owners = await street.server.do("seed", state_dir=state_dir, companies=companies)
    street.numbers = {
        owners[str(company)]["number"]: slug.title()
        for company, slug in zip(companies, slugs, strict=True)
    }
