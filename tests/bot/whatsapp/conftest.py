"""Raw events as the client hands them over, and a server for the real client."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from bot.whatsapp.library import Protos, read_protos
from tests.required import REASON
from tests.whatsapp_server.library import client_library
from tests.whatsapp_server.server import WhatsAppServer

COMPANY = UUID("5d0c8b2e-0b0a-4d4f-9a52-0a6f6f3f2a11")
OWN = "5215512345678"

MakeEvent = Callable[..., bytes]


@pytest.fixture(scope="session")
def protos() -> Protos:
    return read_protos()


@pytest.fixture(scope="session")
def make_event(protos: Protos) -> MakeEvent:
    """``make_event("hola", chat="…@lid", alt="…@s.whatsapp.net", own=False, **Info fields)``."""

    def jid(text: str, device: int = 0) -> Any:
        user, _, server = text.rpartition("@")
        return protos.events.JID(
            User=user,
            Server=server,
            Device=device,
            RawAgent=0,
            Integrator=0,
            IsEmpty=not text,
        )

    def make(
        message: Any = "hola",
        *,
        chat: str = "999888777666555@lid",
        sender: str | None = None,
        alt: str = "5215587654321@s.whatsapp.net",
        own: bool = False,
        device: int = 0,
        group: bool = False,
        edited: bool = False,
        **info: Any,
    ) -> bytes:
        event = protos.events.Message()
        content = protos.e2e.Message(conversation=message) if isinstance(message, str) else message
        event.Message.CopyFrom(content)
        event.Raw.CopyFrom(content)
        source = event.Info.MessageSource
        source.Chat.CopyFrom(jid(chat))
        source.Sender.CopyFrom(jid(sender or (f"{OWN}@s.whatsapp.net" if own else chat), device))
        source.SenderAlt.CopyFrom(jid("" if own else alt))
        source.RecipientAlt.CopyFrom(jid(alt if own else ""))
        source.BroadcastListOwner.CopyFrom(jid(""))
        source.IsFromMe, source.IsGroup = own, group
        values = {"ID": "3A0001", "Timestamp": 1_790_000_000_000, "Pushname": "Ana"} | info
        for name, value in values.items():
            setattr(event.Info, name, value)
        event.IsEdit = edited
        return bytes(event.SerializePartialToString())

    return make


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[WhatsAppServer]:
    """The loopback server, for one test."""
    async with open_server(tmp_path) as server:
        yield server


@asynccontextmanager
async def open_server(folder: Path) -> AsyncIterator[WhatsAppServer]:
    """The loopback server; a test of it has the mark ``whatsapp``."""
    async with WhatsAppServer(library_or_skip()).open(folder) as server:
        yield server


def library_or_skip() -> Path:
    """The real client's shared object; without it, and the mark, a skip."""
    library = client_library()
    if library is None:
        pytest.skip(REASON)
    return library
