"""One client's connection: handshake, pairing or login, and the stanzas after that."""

import asyncio
import contextlib
import itertools
import logging
import os
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web
from cryptography.exceptions import InvalidTag

from tests.whatsapp_server import history
from tests.whatsapp_server.answers import answer
from tests.whatsapp_server.devices import Device, Scan
from tests.whatsapp_server.faults import Faults
from tests.whatsapp_server.nodes import SERVER, Node, Value, decode, encode
from tests.whatsapp_server.noise import PROLOGUE, Ciphers, Handshake
from tests.whatsapp_server.people import Owner
from tests.whatsapp_server.routing import route

if TYPE_CHECKING:
    from tests.whatsapp_server.server import WhatsAppServer

log = logging.getLogger(__name__)

_LINGER = 0.3  # Seconds for the client to handle what it has read.
_HEARD = 20.0


class Connection:
    """Speaks with one client until either side hangs up."""

    def __init__(
        self,
        server: "WhatsAppServer",
        socket: web.WebSocketResponse,
        transport: asyncio.Transport | None,
    ) -> None:
        self.server = server
        self._transport = transport
        self._socket = socket
        self._ciphers: Ciphers | None = None
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Node]] = {}
        self._noise = b""
        self.guest: Device | None = None  # What came without an account.
        self.owner: Owner | None = None
        self.number = 0
        self.active = False
        self.deaf = False  # The line stays, and nothing is answered, pings neither.
        self._heard = asyncio.Event()

    async def run(self) -> None:
        """Until the socket closes."""
        frames = self._frames()
        handshake = Handshake(self.server.authority, self.server.protos)
        await self._write(handshake.answer(await anext(frames)))
        try:
            payload, self._ciphers = handshake.finish(await anext(frames))
        except StopAsyncIteration:
            return  # The client did not believe our certificate.
        await self._welcome(payload)
        async for frame in frames:
            try:
                await self._take(decode(self._ciphers.open(frame), self.server.tokens))
            except InvalidTag:
                return

    async def send(self, node: Node) -> None:
        """Send one stanza."""
        if self._ciphers is not None and not self._socket.closed:
            await self._write(self._ciphers.seal(encode(node)))

    async def ask(self, *content: Node, kind: str = "set", **attrs: str) -> Node:
        """Send an iq and wait for the client's answer."""
        number = f"server-{next(self._ids)}"
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self.send(Node("iq", {"from": SERVER, "type": kind, "id": number, **attrs}, content))
        return await asyncio.wait_for(answer, 20)

    def drop(self) -> None:
        """Cut the line without a word."""
        self.active = False
        if (transport := self._transport) is not None:
            transport.abort()

    async def end(self, *stanzas: Node) -> None:
        """Say a last word, let it be handled, and hang up."""
        for stanza in stanzas:
            await self.send(stanza)
        if self.faults.hurries > 0:
            self.faults.hurries -= 1
        else:
            await self._is_heard()
            await asyncio.sleep(_LINGER)
        await self._socket.close()

    async def _is_heard(self) -> None:
        """Wait for the client to read what was sent: it answers pings in the order of its reads."""
        self._heard.clear()
        with contextlib.suppress(ConnectionError, TimeoutError):
            await self._socket.ping()
            async with asyncio.timeout(_HEARD):
                await self._heard.wait()

    @property
    def faults(self) -> Faults:
        """What is to go wrong with this account."""
        return self.owner.faults if self.owner is not None else Faults()

    async def _frames(self) -> AsyncIterator[bytes]:
        """Each frame has its length before it, and may come in pieces or together with others."""
        buffer = b""
        begun = False
        async for message in self._socket:
            if message.type is WSMsgType.PONG:
                self._heard.set()
                continue
            buffer += message.data
            if not begun and len(buffer) >= len(PROLOGUE):
                buffer, begun = buffer[len(PROLOGUE) :], True
            while len(buffer) >= 3 and len(buffer) >= 3 + int.from_bytes(buffer[:3], "big"):
                size = 3 + int.from_bytes(buffer[:3], "big")
                frame, buffer = buffer[3:size], buffer[size:]
                yield frame
        self._heard.set()  # Who has hung up hears no more.

    async def _write(self, frame: bytes) -> None:
        await self._socket.send_bytes(len(frame).to_bytes(3, "big") + frame)

    async def _welcome(self, payload: Any) -> None:
        if payload.HasField("username"):
            await self._log_in(str(payload.username), payload.device)
            return
        if self.server.ignores_clients:
            self.deaf = True
            return
        if (failure := self.server.refuses_clients) is not None:
            self.server.spawn(self.end(failure))
            return
        data = payload.devicePairingData
        device = self.guest = Device(
            noise=b"",
            identity=data.eIdent,
            registration_id=int.from_bytes(data.eRegid, "big"),
            signed_id=int.from_bytes(data.eSkeyID, "big"),
            signed_key=data.eSkeyVal,
            signature=data.eSkeySig,
        )
        refs = [os.urandom(12).hex() for _ in range(self.server.codes)]
        self.server.unpaired |= dict.fromkeys(refs, (self, device))
        codes = [Node("ref", content=ref.encode()) for ref in refs]
        pairing = self.ask(Node("pair-device", content=codes), xmlns="md")
        self.server.spawn(pairing)

    async def pair(self, owner: Owner, device: Device, scan: Scan) -> None:
        """The phone has read the code: hand over the identity, then have the client log in."""
        number = 1 + max(owner.devices, default=0)
        identity = owner.identity_for(scan, number, self.server.protos)
        success = Node(
            "pair-success",
            content=[
                Node("device-identity", content=identity),
                Node("device", {"jid": owner.jid(number), "lid": owner.lid_jid(number)}),
                Node("platform", {"name": "android"}),
            ],
        )
        answer = await self.ask(success)
        if answer.child("pair-device-sign").tag:
            device.noise = scan.noise
            owner.devices[number] = device
        await self.end(Node("stream:error", {"code": "515"}))

    async def _log_in(self, number: str, device: int) -> None:
        owner = self.server.owners.get(number)
        if owner is None or device not in owner.devices:
            self.server.spawn(self.end(Node("failure", {"reason": "401", "location": "lla"})))
            return
        self.owner, self.number = owner, device
        owner.logins += 1
        if owner.faults.silent:
            self.deaf = True
            return
        if (refusal := owner.faults.refuses) is not None:
            self.server.spawn(self.end(refusal))
            return
        self.server.online[owner.number] = self
        now = str(int(time.time()))
        await self.send(
            Node("success", {"t": now, "lid": owner.lid_jid(device), "location": "lla"})
        )

    async def _take(self, node: Node) -> None:
        if self.server.remembers:
            self.server.seen.append(node)
        if self.deaf:
            return
        if (delay := self.faults.delay) > 0:
            await asyncio.sleep(delay)
        waiting = self._waiting.get(node.get("id"))
        if node.tag == "iq" and waiting is not None and not waiting.done():
            waiting.set_result(node)
        elif node.tag == "iq":
            await self._answer(node)
        elif node.tag == "message":
            await route(self, node)
        elif node.tag in ("receipt", "ack") and self.owner and not self.faults.loses_receipts:
            self.owner.unreceipted.pop(node.get("id"), None)

    async def _answer(self, node: Node) -> None:
        found = answer(self, node)
        failed = found is not None and found.tag == "error"
        kind = "error" if failed else "result"
        attrs: dict[str, Value] = {"from": SERVER, "type": kind, "id": node.get("id")}
        await self.send(Node("iq", attrs, [found] if found else None))
        if node.child("active").tag:
            self.active = True
            self.server.logged_in.set()
            await self._flush()
            if self.owner is not None and self.server.greets and not self.device.greeted:
                self.device.greeted = True
                await self._greet(self.owner)

    async def _flush(self) -> None:
        """What came while the client was away, between its preview and its end."""
        owner = self.owner
        if owner is None:
            return
        queue = [*owner.unreceipted.values(), *owner.queue]
        owner.unreceipted, owner.queue = {node.get("id"): node for node in queue}, []
        count = str(len(queue))
        preview = {"count": count, "message": count, "notification": "0", "receipt": "0"}
        await self.send(Node("ib", {"from": SERVER}, [Node("offline_preview", preview)]))
        await asyncio.sleep(self.faults.backlog_delay)
        for number, node in enumerate(queue):
            await self.send(Node(node.tag, {**node.attrs, "offline": str(number)}, node.content))
        await self.send(Node("ib", {"from": SERVER}, [Node("offline", {"count": count})]))

    async def _greet(self, owner: Owner) -> None:
        """The phone hands a new device the key of the settings, and whom it knows."""
        known = history.names(self.server.protos, self.server.customers)
        for number, message in enumerate((owner.state.key_share(), known)):
            stanza = owner.peer(message, wa_id=f"3A5E{self.number:02X}{number:02X}")
            await self.server.deliver(owner, stanza)

    @property
    def device(self) -> Device:
        """What the logged-in client registered with."""
        if self.owner is None:
            raise RuntimeError("this client is not logged in")
        return self.owner.devices[self.number]
