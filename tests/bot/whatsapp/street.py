"""Many companies in one process, each with a fault of its own, for tests of what follows it."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from bot.config import Daemon, Settings
from bot.whatsapp import session_file
from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.locks import holder
from bot.whatsapp.pairing import pair
from bot.whatsapp.states import Reason
from tests.bot.whatsapp.conftest import open_server
from tests.whatsapp_server.connection import Connection
from tests.whatsapp_server.faults import Faults
from tests.whatsapp_server.hosted import Hosted, hosting
from tests.whatsapp_server.nodes import Node
from tests.whatsapp_server.nursery import seed
from tests.whatsapp_server.people import Customer, Owner
from tests.whatsapp_server.proxy import Proxy
from tests.whatsapp_server.server import WhatsAppServer

QUICK = {"connect": 8, "first": 0.3, "longest": 0.6, "rare": 0.5, "ban": 0.3, "endless_ban": 0.5}
"""Pauses for a test; a login may take long while many clients start at once."""


@dataclass
class House:
    """One company of the street: its owner's account, a customer, and the program that hosts it."""

    server: WhatsAppServer
    state_dir: Path
    owner: Owner
    customer: Customer
    stack: AsyncExitStack
    company: UUID = field(default_factory=uuid4)
    hosted: Hosted = field(init=False)
    proxy: Proxy = field(init=False)
    office: "Office | None" = None
    mark: int = 0
    written: int = 0

    @property
    def files(self) -> CompanyFiles:
        """Its files."""
        return CompanyFiles(self.state_dir, self.company)

    @property
    def line(self) -> Connection:
        """The client's connection."""
        return self.server.online[self.owner.number]

    def device(self) -> dict[str, str] | None:
        """The paired device in the session file."""
        return session_file.device(self.files.session)

    def begin(self) -> None:
        """What was said so far is of no interest any more."""
        self.mark = len(self.hosted.said)

    def states(self) -> list[dict[str, Any]]:
        """The states said since then."""
        words = {"event": "state", "company": str(self.company)}
        return [line for line in self.hosted.said[self.mark :] if words.items() <= line.items()]

    async def reaches(self, reason: Reason, *, seconds: float = 60.0) -> dict[str, Any]:
        """The first line since then that says so."""
        words = {"event": "state", "reason": reason, "company": str(self.company)}
        return await self.hosted.until(**words, after=self.mark, seconds=seconds)

    async def logs_in(self, count: int, *, seconds: float = 50) -> None:
        """Wait until there were so many logins."""
        async with asyncio.timeout(seconds):
            while self.owner.logins < count:
                self.server.logged_in.clear()
                await self.server.logged_in.wait()

    async def is_let_go(self) -> None:
        """Wait until nobody holds its session."""
        async with asyncio.timeout(30):
            while holder(self.files.lock):  # noqa: ASYNC110  # It is another process's lock.
                await asyncio.sleep(0.05)

    async def loses_its_device(self) -> None:
        """Wait until the client has deleted it, which it does after saying so."""
        async with asyncio.timeout(10):
            while self.device() is not None:  # noqa: ASYNC110  # It is in another process's file.
                await asyncio.sleep(0.05)

    def refuse(self, stanza: Node) -> None:
        """No login any more, and the line is cut."""
        self.owner.faults.refuses = stanza
        self.line.drop()

    def heal(self) -> None:
        """Everything is in order again."""
        self.owner.faults = Faults()
        self.proxy.cuts = False
        if self.owner.number in self.server.online:
            self.line.deaf = False

    async def leave(self) -> None:
        """The company is not wanted for now."""
        await self.hosted.tell("leave", company=str(self.company))
        await self.reaches(Reason.STOPPED)

    async def want(self) -> None:
        """It is wanted again."""
        await self.hosted.tell("want", company=str(self.company))

    async def move(self, *, cut: bool = False) -> None:
        """Another program hosts it from now on, behind a proxy of its own, *cut* at first."""
        proxy = self.proxy.twin()
        await proxy.open()
        self.stack.push_async_callback(proxy.close)
        proxy.cuts = cut
        words = {"HTTPS_PROXY": proxy.url, "PATIENCE": json.dumps(QUICK)}
        program = hosting(self.state_dir, self.company, environment=self.server.environment | words)
        self.hosted, self.proxy, self.mark = (
            await self.stack.enter_async_context(program),
            proxy,
            0,
        )

    async def pair(self) -> None:
        """The owner pairs the phone again: by the product's own way, or as one of many."""
        await self.is_let_go()
        if self.office is not None:
            await self.office.pair(self)
        else:
            assert await self._pair() == "paired"

    async def _pair(self) -> str:
        settings = Settings(daemon=Daemon(state_dir=self.state_dir))
        events = pair(self.company, settings, environ=os.environ | self.server.environment)
        async with aclosing(events):
            async for event in events:
                if event.event == "qr":
                    self.server.forget(self.owner)
                    await self.server.scan(self.owner, event.code)
        return event.reason or event.event

    async def talks(self) -> None:
        """Messages go both ways."""
        await self.hears()
        await self.answers()

    async def hears(self) -> dict[str, Any]:
        """The customer writes, and the text arrives."""
        self.written += 1
        wa_id = f"3A{self.company.hex[:8]}{self.written:02}"
        stanza = self.customer.write(self.owner, f"hola {wa_id}", wa_id=wa_id)
        await self.server.deliver(self.owner, stanza)
        return await self.hosted.until(event="message", wa_id=wa_id, seconds=30)

    async def answers(self) -> None:
        """A text sent arrives on the customer's phone."""
        words = {"company": str(self.company), "chat": f"{self.customer.lid}@lid"}
        secret = os.urandom(32).hex()
        await self.hosted.tell("send", text=secret, secret=secret, **words)
        received = await asyncio.wait_for(self.customer.inbox.get(), 50)
        assert received.text == secret


class Office:
    """Pairs everybody who comes within some seconds of the first, in one process."""

    def __init__(self, seconds: float = 4.0) -> None:
        self._seconds = seconds
        self._waiting: list[House] = []
        self._round: asyncio.Task[None] | None = None

    async def pair(self, house: House) -> None:
        """Come, and wait for the end of the round."""
        self._waiting.append(house)
        if self._round is None:
            self._round = asyncio.ensure_future(self._hold())
        await asyncio.shield(self._round)

    async def _hold(self) -> None:
        await asyncio.sleep(self._seconds)
        houses, self._waiting, self._round = self._waiting, [], None
        for house in houses:
            house.server.forget(house.owner)
        one = houses[0]
        await seed(one.server, one.state_dir, {each.company: each.owner for each in houses})


@asynccontextmanager
async def street(
    folder: Path, names: Iterable[str], *, last_connected: Mapping[str, str] | None = None
) -> AsyncIterator[dict[str, House]]:
    """A paired and hosted company for each name; *last_connected* is a time by the name."""
    async with open_server(folder) as server, AsyncExitStack() as stack:
        server.remembers = False
        houses = {
            name: _house(server, folder / "state", stack, place) for place, name in enumerate(names)
        }
        owners = {house.company: house.owner for house in houses.values()}
        await seed(server, folder / "state", owners)
        times = last_connected or {}
        seen = {str(one.company): times[name] for name, one in houses.items() if name in times}
        words = {"PATIENCE": json.dumps(QUICK), "LAST_CONNECTED": json.dumps(seen)}
        program = hosting(folder / "state", *owners, environment=server.environment | words)
        hosted = await stack.enter_async_context(program)
        for house in houses.values():
            house.hosted, house.proxy = hosted, server.proxy
        yield houses


def _house(server: WhatsAppServer, state_dir: Path, stack: AsyncExitStack, place: int) -> House:
    owner = server.owner(f"5215500{place:06}", f"11100{place:06}")
    customer = server.add_customer(f"5215600{place:06}", f"22200{place:06}", "Ana")
    return House(server, state_dir, owner, customer, stack)
