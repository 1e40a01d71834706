"""Where connections come from: the client, loaded once and only when a company needs it."""

import asyncio
import os
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from uuid import UUID

from bot.whatsapp import library, reach
from bot.whatsapp.callbacks import SUBSCRIBED, Observer
from bot.whatsapp.client import Client
from bot.whatsapp.gate import Gate
from bot.whatsapp.session_parts import Connection
from bot.whatsapp.typing import TYPING

_PROBE_HOLDS = 15.0


class Connector(Protocol):
    """Makes connections, once the client is there."""

    async def load(self) -> library.Protos:
        """Make the client usable. Raises LibraryMissing."""

    def connect(
        self, company_id: UUID, session: Path, observer: Observer, *, typing: bool = False
    ) -> Connection:
        """One connection of one company, not yet started; *typing*: it hears who is typing."""

    async def unreachable(self) -> str | None:
        """Why WhatsApp cannot be reached, or None."""

    def close(self) -> None:
        """Give the threads back."""


class NeonizeConnector:
    """The real client: loaded once, off the loop."""

    def __init__(self, device_name: str, environ: Mapping[str, str] = os.environ) -> None:
        self._device_name = device_name
        self._environ = environ
        self._gate = Gate()
        self._library: library.Library | None = None
        self._probing = asyncio.Lock()
        self._reached_at = float("-inf")

    async def load(self) -> library.Protos:
        """Load the library on a thread of the gate."""
        if self._library is None:
            self._library = await self._gate.alone(library.load, limit=0)
        return self._library.protos

    def connect(
        self, company_id: UUID, session: Path, observer: Observer, *, typing: bool = False
    ) -> Connection:
        """A connection through the gate all companies share."""
        if self._library is None:
            raise library.LibraryMissing("the WhatsApp library is not loaded")
        return Client(
            self._library,
            self._gate,
            company_id=company_id,
            session=session,
            device_name=self._device_name,
            observer=observer,
            subscribed=(*SUBSCRIBED, TYPING) if typing else SUBSCRIBED,
        )

    async def unreachable(self) -> str | None:
        """One probe serves all companies that start within some seconds, one start at a time."""
        async with self._probing:
            await asyncio.sleep(random.uniform(0, 0.05))  # noqa: S311  # Not in step with others.
            if time.monotonic() - self._reached_at < _PROBE_HOLDS:
                return None
            why = await reach.unreachable(self._environ)
            if why is None:
                self._reached_at = time.monotonic()
            return why

    def close(self) -> None:
        """Take no more calls."""
        self._gate.close()
