"""A fleet with the real client: the phones are on the loopback server, which is in this process."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from tests.faults.fleet import START_SECONDS, Fleet, found
from tests.faults.ground import Ground
from tests.system.lines import append
from tests.system.phone import Phones
from tests.system.warm import Child, warm
from tests.whatsapp_server.nodes import Node
from tests.whatsapp_server.nursery import seed
from tests.whatsapp_server.people import Customer, Owner, Received
from tests.whatsapp_server.server import WhatsAppServer


class Inbox(asyncio.Queue[Received]):
    """What a customer's phone shows, as lines of a file; one id is one message."""

    def __init__(self, file: Path, phone: str, lid: str) -> None:
        super().__init__()
        self._file, self._phone, self._lid = file, phone, lid
        self._seen: set[str] = set()

    def put_nowait(self, item: Received) -> None:
        """It arrives; from another company it is nobody's."""
        if item.id in self._seen:
            return
        self._seen.add(item.id)
        phone = self._phone if item.sender.user == self._lid else f"{self._phone}-stranger"
        append(self._file, {"chat": f"{phone}@s.whatsapp.net", "text": item.text, "id": item.id})


class LoopbackPhones(Phones):
    """The same folder, where customers write through the server and the real client."""

    def __init__(self, folder: Path, server: WhatsAppServer, owners: Mapping[UUID, Owner]) -> None:
        super().__init__(folder)
        self._server = server
        self._owners = owners
        self.customers: dict[str, Customer] = {}

    def write(self, company: UUID, phone: str, text: str, wa_id: str) -> None:
        """A customer writes: to the client now, or when it comes back."""
        owner = self._owners[company]
        customer = self._customer(owner, phone)
        stanza = customer.write(owner, text, wa_id=wa_id)
        self._server.spawn(self._deliver(owner, stanza))

    async def _deliver(self, owner: Owner, stanza: Node) -> None:
        with suppress(ConnectionResetError):  # The client has died; it comes after the next login.
            await self._server.deliver(owner, stanza)

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
        customer.inbox = Inbox(self.folder / "arrived.jsonl", phone, owner.lid)
        self.customers[phone] = customer
        return customer


@dataclass
class ClientFleet(Fleet):
    """The companies, and the phones that the real client finds."""

    server: WhatsAppServer = field(kw_only=True)
    owners: Mapping[UUID, Owner] = field(kw_only=True)

    async def fork(self) -> Child:
        """One more daemon, as people start it."""
        return await self.nursery.start(self.home, "run")

    async def start(self) -> Child:
        """A daemon that takes messages of all companies, if none runs."""
        daemon = await super().start()
        await self.until(self._online, seconds=START_SECONDS)
        return daemon

    async def _online(self) -> bool:
        lines = [self.server.online.get(owner.number) for owner in self.owners.values()]
        return all(line is not None and line.active for line in lines)


@asynccontextmanager
async def open_client_fleet(
    folder: Path, ground: Ground, library: Path
) -> AsyncIterator[ClientFleet]:
    """Paired companies; no daemon yet."""
    (folder / "nursery").mkdir()
    async with (
        WhatsAppServer(library).open(folder) as server,
        warm(folder / "nursery", server.environment) as nursery,
    ):
        server.remembers = False
        founded = await found(folder / "home", ground)
        owners = {
            company: server.owner(f"521551234567{number}", f"11122233344455{number}")
            for number, company in enumerate(founded.companies)
        }
        await seed(server, founded.home.state_dir, owners)
        fleet = ClientFleet(
            home=founded.home,
            nursery=nursery,
            phones=LoopbackPhones(folder / "phones", server, owners),
            company=next(iter(owners)),
            llm=ground.llm,
            url=ground.url,
            look=ground.look,
            valves=ground.valves,
            history=ground.history,
            companies=founded.companies,
            server=server,
            owners=owners,
        )
        try:
            yield fleet
        finally:
            if fleet.daemon is not None:
                await fleet.daemon.send(signal.SIGKILL)
