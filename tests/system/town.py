"""A real daemon with a pairing page, and owners whose phones are on the loopback server."""

import asyncio
import contextlib
import json
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.pairing_line import join
from tests.bot.whatsapp.conftest import open_server
from tests.builders import make_company
from tests.system.process import LYROX, Daemon, Home, running, spawned
from tests.whatsapp_server.people import Owner
from tests.whatsapp_server.server import WhatsAppServer


@dataclass
class Town:
    """A daemon with a pairing page, and owners with phones; each test has a company of its own."""

    home: Home
    server: WhatsAppServer
    url: str
    daemon: Daemon
    companies: int = 0

    async def company(self) -> tuple[UUID, str, Owner]:
        """A company without a phone, its slug, and somebody's phone."""
        self.companies += 1
        slug = f"tienda-{self.companies}"
        company = await make_company(self.url, slug=slug)
        return company, slug, self.phone()

    def phone(self) -> Owner:
        """One more phone."""
        number = 5215512340000 + len(self.server.owners)
        return self.server.owner(str(number), str(111222333440000 + len(self.server.owners)))

    async def link(self, slug: str) -> str:
        """What `lyrox pair --link` prints."""
        said = await self.home.lyrox("pair", slug, "--link")
        assert said.code == 0, said.err
        return said.out.strip()

    @contextlib.asynccontextmanager
    async def joined(self, slug: str, *words: str) -> AsyncIterator["Joined"]:
        """`lyrox pair --json` beside the page."""
        command = ("pair", slug, "--json", *words, "--config", self.home.config)
        async with spawned(LYROX, *command, env=self.server.environment) as process:
            yield Joined(process)

    async def code(self, company: UUID) -> str:
        """The code that everybody sees who joins the company's pairing."""
        line = await join(CompanyFiles(self.home.state_dir, company).pairing)
        assert line
        async with aclosing(line.words()) as events:
            code = str((await anext(events))["code"])
        await line.close()
        return code

    async def state(self, slug: str) -> str:
        """How the company's WhatsApp is, by the daemon's own word."""
        _, said = await self.home.get("/status")
        companies = json.loads(said)["companies"]
        return str(next(one["reason"] for one in companies if one["slug"] == slug))


class Joined:
    """A program that follows a pairing."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def until(self, event: str) -> dict[str, Any]:
        """The next event of that name."""
        assert self._process.stdout
        async with asyncio.timeout(30):
            while line := await self._process.stdout.readline():
                words: dict[str, Any] = json.loads(line)
                if words["event"] == event:
                    return words
        raise AssertionError(f"it ended before {event}")


@contextlib.asynccontextmanager
async def open_town(folder: Path, stores: Mapping[str, str]) -> AsyncIterator[Town]:
    """The daemon, ready, on these stores."""
    place = f"127.0.0.1:{_free_port()}"
    web = {
        "listen": "127.0.0.1:0",
        "public_listen": place,
        "public_url": f"http://{place}",
    }
    async with open_server(folder) as server:
        home = Home(folder / "home", stores=stores, web=web)
        async with running(home, env=server.environment) as daemon:
            await daemon.ready()
            yield Town(home, server, stores["postgres"], daemon)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
