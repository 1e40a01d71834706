"""A fleet with the real client: the phones are on the loopback server, which is in this process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from tests.fakes.openai_server import FakeOpenAI
from tests.faults.fleet import START_SECONDS, found
from tests.faults.ground import Ground
from tests.system.conftest import Valves
from tests.system.lines import append
from tests.system.phone import Phones
from tests.system.process import Daemon, Home, running
from tests.whatsapp_server.nursery import seed
from tests.whatsapp_server.people import Customer, Owner, Received
from tests.whatsapp_server.server import WhatsAppServer


class Inbox(asyncio.Queue[Received]):
    """What a customer's phone shows, as lines of a file; one id is one message."""

    def __init__(self, file: Path, phone: str, lid: str) -> None:
        super().__init__()
        self._file, self._phone, self._lid = file, phone, lid
        self.seen: set[str] = set()

    def put_nowait(self, item: Received) -> None:
        """It arrives; from another company it is nobody's."""
        if item.id in self.seen:
            return
        self.seen.add(item.id)
        phone = self._phone if item.sender.user == self._lid else f"{self._phone}-stranger"
        append(self._file, {"chat": f"{phone}@s.whatsapp.net", "text": item.text, "id": item.id})


class LoopbackPhones(Phones):
    """The same folder, where customers write through the server and the real client."""

    def __init__(self, folder: Path, server: WhatsAppServer, owners: Mapping[UUID, Owner]) -> None:
        super().__init__(folder)
        self._server = server
        self._owners = owners
        self.customers: dict[str, Customer] = {}
        self._inboxes: list[Inbox] = []

    def write(self, company: UUID, phone: str, text: str, wa_id: str) -> None:
        """A customer writes: to the client now, or when it comes back."""
        owner = self._owners[company]
        customer = self._customer(owner, phone)
        stanza = customer.write(owner, text, wa_id=wa_id)
        self._server.spawn(self._server.deliver(owner, stanza))

    def count(self) -> int:
        """How many messages have arrived."""
        return sum(len(inbox.seen) for inbox in self._inboxes)

    def switch(self, company: UUID, phone: str, *, on: bool) -> None:
        """A customer's phone, on or off."""
        customer = self._customer(self._owners[company], phone)
        if on:
            customer.switch_on()
        customer.off = not on

    def _customer(self, owner: Owner, phone: str) -> Customer:
        if phone in self.customers:
            return self.customers[phone]
        customer = self._server.add_customer(phone, f"77{phone}", "Ana")
        customer.inbox = inbox = Inbox(self.folder / "arrived.jsonl", phone, owner.lid)
        self._inboxes.append(inbox)
        self.customers[phone] = customer
        return customer


@dataclass
class ClientFleet:
    """The companies, and the daemon that is executed anew after each kill."""

    home: Home
    server: WhatsAppServer
    owners: Mapping[UUID, Owner]
    phones: LoopbackPhones
    companies: Mapping[UUID, str]
    llm: FakeOpenAI
    url: str
    look: asyncpg.Connection
    valves: Valves
    history: Callable[[], list[dict[str, Any]]]
    daemon: Daemon | None = None
    _life: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def begin(self) -> None:
        """A daemon, if none runs; not ready yet."""
        if self.daemon is None:
            process = running(self.home, env=self.server.environment)
            self.daemon = await self._life.enter_async_context(process)

    async def start(self) -> Daemon:
        """A daemon that takes messages, if none runs."""
        await self.begin()
        assert self.daemon
        await self.daemon.until("companies: ", seconds=START_SECONDS)
        await self.until(self._online, seconds=START_SECONDS)
        return self.daemon

    async def kill(self) -> None:
        """The daemon, and nobody tells it before."""
        assert self.daemon
        await self.daemon.kill()
        await self._bury()

    async def stop(self) -> int:
        """SIGTERM; the exit code, 0 where nothing ran."""
        code = await self.daemon.stop() if self.daemon else 0
        await self._bury()
        return code

    def said(self) -> str:
        """All that the daemon of now has said."""
        return self.daemon.said if self.daemon else ""

    async def until(self, claim: Callable[[], Awaitable[Any]], seconds: float = 20) -> None:
        """Wait until *claim* holds."""
        async with asyncio.timeout(seconds):
            while not await claim():  # noqa: ASYNC110 - The claim is about other processes.
                await asyncio.sleep(0.01)

    async def _bury(self) -> None:
        self.daemon = None
        await self._life.aclose()

    async def _online(self) -> bool:
        lines = [self.server.online.get(owner.number) for owner in self.owners.values()]
        return all(line is not None and line.active for line in lines)


@asynccontextmanager
async def open_client_fleet(
    folder: Path, ground: Ground, library: Path
) -> AsyncIterator[ClientFleet]:
    """Paired companies; no daemon yet."""
    async with WhatsAppServer(library).open(folder) as server:
        server.remembers = False
        founded = await found(folder / "home", ground)
        owners = {
            company: server.owner(f"521551234567{number}", f"11122233344455{number}")
            for number, company in enumerate(founded.companies)
        }
        await seed(server, founded.home.state_dir, owners)
        fleet = ClientFleet(
            home=founded.home,
            server=server,
            owners=owners,
            phones=LoopbackPhones(folder / "phones", server, owners),
            companies=founded.companies,
            llm=ground.llm,
            url=ground.url,
            look=ground.look,
            valves=ground.valves,
            history=ground.history,
        )
        try:
            yield fleet
        finally:
            if fleet.daemon is not None:
                await fleet.kill()
