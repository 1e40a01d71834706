"""What a session is made of, and what it asks of its connection."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from bot.whatsapp.arrivals import Arrivals
from bot.whatsapp.callbacks import Observer
from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.phone import Phone
from bot.whatsapp.pictures import Pictures
from bot.whatsapp.settlement import SessionBooks
from bot.whatsapp.states import State
from bot.whatsapp.transitions import Transitions
from bot.whatsapp.typing import CustomersTyping
from models.values import MediaRef, Quote


class Media(Protocol):
    """What a connection does with files: `bot.whatsapp.media.Media`."""

    async def download(self, ref: MediaRef, *, most: int, seconds: float) -> bytes: ...
    async def upload(self, data: bytes, mime: str) -> bytes: ...


class Connection(Protocol):
    """What a session asks of `bot.whatsapp.client.Client`."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def send(
        self,
        chat: str,
        text: str,
        secret: bytes,
        *,
        first: Callable[[], None],
        ready: Callable[[], None],
        picture: bytes | None = None,
        quote: Quote | None = None,
    ) -> str: ...
    async def typing(self, chat: str, on: bool) -> None: ...
    async def mark_read(self, chat: str, wa_ids: Sequence[str]) -> None: ...
    async def show_online(self) -> None: ...
    async def log_out(self) -> None: ...
    @property
    def media(self) -> Media: ...


@dataclass(frozen=True)
class Parts:
    """What a session is made of."""

    files: CompanyFiles
    arrivals: Arrivals
    transitions: Transitions
    books: SessionBooks
    connection: Callable[[Observer], Connection]
    on_state: Callable[[UUID, State], None]
    now: Callable[[], datetime]
    phone: Phone
    on_phone: Callable[[UUID], None]
    connect_limit: float = 60.0
    reconnect_limit: float = 300.0
    pictures: Pictures = field(default_factory=Pictures)
    most_bytes: int = 16 * 2**20
    media_seconds: float = 20.0
    typing: CustomersTyping | None = None
