"""The loopback server: what it knows, how it is opened, and what a test does with it."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.whatsapp_server.app_state import AppState
from tests.whatsapp_server.certificates import make_certificates
from tests.whatsapp_server.connection import Connection
from tests.whatsapp_server.devices import Device, Scan
from tests.whatsapp_server.faults import conflict
from tests.whatsapp_server.linking import Letters, passkey_request, type_letters
from tests.whatsapp_server.media import MediaHost
from tests.whatsapp_server.nodes import Jid, Node
from tests.whatsapp_server.noise import Authority
from tests.whatsapp_server.patch import Patched
from tests.whatsapp_server.people import Customer, Owner
from tests.whatsapp_server.protos import load_protos
from tests.whatsapp_server.proxy import Proxy
from tests.whatsapp_server.ratchet import Party
from tests.whatsapp_server.rooms import Room
from tests.whatsapp_server.tokens import read_tokens


class WhatsAppServer:
    """Owners and customers of one test, and the connections of their clients."""

    def __init__(self, library: Path) -> None:
        self.protos = load_protos()
        self.tokens = read_tokens(library)
        self.authority = Authority()
        self.owners: dict[str, Owner] = {}
        self.customers: list[Customer] = []
        self.rooms: dict[Jid, Room] = {}
        self.media = MediaHost()
        self.unpaired: dict[str, tuple[Connection, Device]] = {}
        self.online: dict[str, Connection] = {}
        self.seen: list[Node] = []
        self.unanswered: Counter[str] = Counter()
        self.codes = 6  # The first of six lives 60 s, any other 20 s.
        self.letters: dict[str, Letters] = {}
        self.refuses_letters: Node | None = None
        self.greets = False  # Whether a phone tells a new device of the account.
        self.remembers = True  # A long run would keep every stanza.
        self.logged_in = asyncio.Event()  # Set whenever one more client takes messages.
        self.refuses_clients: Node | None = None
        self.ignores_clients = False
        self.environment: dict[str, str] = {}
        self.proxy: Proxy
        self._tasks: set[asyncio.Task[Any]] = set()
        self._addresses: dict[Jid, Customer] = {}

    @contextlib.asynccontextmanager
    async def open(self, folder: Path) -> AsyncIterator["WhatsAppServer"]:
        """Listen; ``environment`` is then what a client needs when it is executed."""
        context, authority = make_certificates(folder)
        app = web.Application(client_max_size=2**27)
        app.router.add_routes([web.get("/ws/chat", self._chat), *self.media.routes()])
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.proxy = Proxy(runner.addresses[0][:2], Patched(self.authority.root.public).trust)
        await self.proxy.open()
        self.environment = {"HTTPS_PROXY": self.proxy.url, "SSL_CERT_FILE": str(authority)}
        try:
            yield self
        finally:
            await self.proxy.close()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await runner.cleanup()

    def owner(self, number: str, lid: str, name: str = "Tienda") -> Owner:
        """An account with a phone, and the name that customers see."""
        owner = self.owners[number] = Owner(number, lid, AppState(self.protos))
        owner.state.name(name)
        return owner

    def add_customer(self, number: str | None, lid: str, name: str, **more: str) -> Customer:
        """Somebody who may write."""
        customer = Customer(number, lid, name, protos=self.protos, **more)
        self.customers.append(customer)
        self._addresses |= {jid: customer for jid in (customer.jid, customer.lid_jid) if jid}
        return customer

    def room(self, jid: Jid, owner: Owner, name: str = "", *members: Customer) -> Room:
        """A group or status that the owner is in."""
        room = self.rooms[jid] = Room(jid, owner, self.protos, name=name)
        room.members += members
        return room

    async def scan(self, owner: Owner, code: str) -> None:
        """The owner's phone reads a pairing code."""
        scan = Scan.read(code)
        connection, device = self.unpaired[scan.ref]
        if owner.passkey:
            await connection.send(passkey_request())
        else:
            await connection.pair(owner, device, scan)

    async def type_letters(self, owner: Owner, letters: str) -> Letters:
        """The owner types on the phone what some client shows for this number."""
        waiting = self.letters[str(owner.jid())]
        await type_letters(waiting, owner, letters)
        return waiting

    def forget(self, owner: Owner) -> None:
        """No device is linked any more, and nobody keeps a session with one."""
        owner.devices.clear()
        owner.queue.clear()
        owner.unreceipted.clear()
        for party in (owner.phone, *(customer.party for customer in self.customers)):
            for peer in [one for one in party.sessions if one.startswith(owner.lid)]:
                del party.sessions[peer]

    async def unlink(self, owner: Owner) -> None:
        """The owner removes the linked device on the phone."""
        connection = self.online[owner.number]
        self.forget(owner)
        await connection.end(conflict("device_removed", "401"))

    async def deliver(self, owner: Owner, node: Node) -> None:
        """To the owner's client now, or when it comes back."""
        connection = self.online.get(owner.number)
        if connection is None or not connection.active:
            owner.queue.append(node)
        else:
            owner.unreceipted[node.get("id")] = node
            await connection.send(node)

    async def tell(self, owner: Owner, node: Node) -> None:
        """To the owner's client if it is there; what it tells is worth nothing later."""
        if (connection := self.online.get(owner.number)) is not None and connection.active:
            await connection.send(node)

    def customer(self, jid: Jid) -> Customer | None:
        """Whose address this is, if a customer's."""
        return self._addresses.get(jid.bare())

    def party(self, jid: Jid) -> Party:
        """The keys behind an address."""
        customer = self.customer(jid)
        if customer is not None:
            return customer.party
        return self._owner_of(jid).party(jid.device)

    def devices_of(self, jid: Jid) -> list[int]:
        """The numbers of somebody's devices; the phone is 0."""
        if self.customer(jid) is not None:
            return [0]
        owner = self._owner_of(jid)
        return [0, *owner.devices, *owner.others]

    def lid_of(self, jid: Jid) -> Jid:
        """The hidden address of a number."""
        customer = self.customer(jid)
        return customer.lid_jid if customer else self.owners[jid.user].lid_jid()

    def reveal(self, customer: Customer, number: str) -> None:
        """A customer who was known by the hidden address alone shows the number."""
        customer.number = number
        self._addresses[Jid(number, "s.whatsapp.net")] = customer

    def _owner_of(self, jid: Jid) -> Owner:
        known = self.owners.values()
        return next(one for one in known if jid.bare() in (one.jid(), one.lid_jid()))

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Let something run on its own until the server closes."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _chat(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=2**24, autoping=False)
        await socket.prepare(request)
        connection = Connection(self, socket, request.transport)
        try:
            await connection.run()
        finally:
            for number, online in list(self.online.items()):
                if online is connection:
                    del self.online[number]
        return socket
