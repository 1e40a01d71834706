"""An owner, a customer and the bare client between them, for tests of what is on the wire."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from bot.whatsapp.events import Horizon, Ignored, MessageReader
from bot.whatsapp.library import read_protos
from models.values import InboundMessage
from tests.bot.whatsapp.conftest import open_server
from tests.whatsapp_server.bare import CONNECTED, MESSAGE, BareClient, bare_client
from tests.whatsapp_server.contents import Words
from tests.whatsapp_server.nodes import Node
from tests.whatsapp_server.people import Customer
from tests.whatsapp_server.server import WhatsAppServer

# An author's key for a group is an event of its own, with the id of the message behind it.
KEY = "senderKeyDistributionMessage"
PHONE, LID = "5215587654321", "999888777666555"


class Scene:
    """One company with a paired phone; the client runs inside `on_stage`."""

    def __init__(self, server: WhatsAppServer, folder: Path) -> None:
        self.server = server
        self.state_dir = folder / "state"
        self.company: UUID = uuid4()
        self.owner = server.owner("5215512345678", "111222333444555")
        self.ana = server.add_customer(PHONE, LID, "Ana")
        self.protos = read_protos()
        self.client: BareClient

    def message(self, words: Words) -> Any:
        """The protobuf with these fields."""
        return self.protos.e2e.Message(**words)

    async def deliver(self, stanza: Node) -> None:
        """To the client."""
        await self.server.deliver(self.owner, stanza)

    async def write(self, words: Words, wa_id: str, customer: Customer | None = None) -> None:
        """The customer sends something."""
        sender = customer or self.ana
        await self.deliver(sender.send(self.owner, self.message(words), wa_id=wa_id))

    async def raw(self, wa_id: str, *, seconds: float = 50) -> bytes:
        """The client's event of the message with this id."""
        found = await self.client.hosted.first(lambda line: self._id(line) == wa_id, seconds)
        return bytes.fromhex(found["raw"])

    async def event(self, wa_id: str) -> Any:
        """The same, readable."""
        return self.protos.events.Message.FromString(await self.raw(wa_id))

    def events(self) -> list[Any]:
        """Every message event so far."""
        said = [line for line in self.client.hosted.said if line.get("number") == MESSAGE]
        return [self.protos.events.Message.FromString(bytes.fromhex(line["raw"])) for line in said]

    async def read(self, wa_id: str) -> InboundMessage | Ignored:
        """What the daemon makes of it."""
        return self.understand(await self.raw(wa_id))

    def understand(self, raw: bytes) -> InboundMessage | Ignored:
        """What the daemon makes of an event."""
        return self.reader().read(raw, seq=1, now=datetime.now(UTC))

    def reader(self) -> MessageReader:
        """The daemon's reader."""
        return MessageReader(self.company, self.protos, Horizon(None, timedelta(hours=12)))

    async def eventually(self, seen: Callable[[], bool], *, seconds: float = 50) -> None:
        """Until the server has seen it; raises AssertionError where it does not come."""
        for _ in range(int(seconds * 100)):
            if seen():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the server never saw it")

    def _id(self, line: dict[str, Any]) -> str | None:
        if (line["event"], line.get("number")) != ("event", MESSAGE):
            return None
        event = self.protos.events.Message.FromString(bytes.fromhex(line["raw"]))
        return None if event.Message.HasField(KEY) else str(event.Info.ID)


@asynccontextmanager
async def on_stage(folder: Path, *events: int) -> AsyncIterator[Scene]:
    """The client has just been paired, and says these events and every message."""
    async with open_server(folder) as server:
        scene = Scene(server, folder)
        server.greets = True
        wanted = {MESSAGE, CONNECTED, *events}
        async with bare_client(
            scene.state_dir, scene.company, *wanted, environment=server.environment
        ) as scene.client:
            code = await scene.client.hosted.until(event="code")
            await server.scan(scene.owner, code["code"])
            await scene.client.event(CONNECTED)
            yield scene
            assert not server.unanswered, "the client asks what the server does not know"
