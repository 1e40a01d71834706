"""A wire without WhatsApp: it keeps the promises of `bot.wire.Wire` and can be told to fail."""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from bot.wire import (
    NotSent,
    Outgoing,
    OwnerHand,
    Settlement,
    TakenOver,
    Unconfirmed,
    Unsettled,
)
from models.errors import LyroxError
from models.values import Channel, Quote


@dataclass(frozen=True, slots=True)
class Arrived:
    """One bubble that the customer can read."""

    chat: str
    text: str
    wa_id: str
    secret: bytes
    picture: bytes | None = None


class FakeWire:
    """One company's wire; ``arrived`` is what reached the phones, in order.

    ``failures`` are raised one a send, first come first; after an Unconfirmed the text has
    arrived if ``arrives_anyway``. ``queued`` is how long a send waits before its turn, ``seconds``
    how long it then takes, ``typed`` the chats in
    which "typing…" was shown and ``hidden`` in which it was taken away, ``read`` what was marked,
    ``quoted`` what each arrived bubble quotes, ``hashed`` the chats whose ratchets were asked for,
    ``connected`` whether anything can leave, ``catching_up`` whether more is still coming in.
    """

    def __init__(
        self, company_id: UUID, channel: Channel = Channel.WHATSAPP, *, seconds: float = 0.0
    ) -> None:
        self._company_id = company_id
        self._channel = channel
        self.seconds = seconds
        self.queued = 0.0
        self.connected = True
        self.catching_up = False
        self.composing: set[str] = set()
        self.arrives_anyway = False
        self.failures: list[LyroxError] = []
        self.arrived: list[Arrived] = []
        self.typed: list[str] = []
        self.pictures: dict[str, bytes] = {}
        self.hidden: list[str] = []
        self.read: list[tuple[str, list[str]]] = []
        self.quoted: list[Quote | None] = []
        self.hashed: list[str] = []
        self._line = asyncio.Lock()
        self._written: dict[bytes, str] = {}
        self._owner: Counter[str] = Counter()
        self._unstored: Counter[str] = Counter()
        self._ratchets: Counter[str] = Counter()

    @property
    def company_id(self) -> UUID:
        """Whose wire this is."""
        return self._company_id

    @property
    def channel(self) -> Channel:
        """The channel it serves."""
        return self._channel

    def texts(self) -> list[str]:
        """What the customers can read, in order."""
        return [one.text for one in self.arrived]

    def customer_types(self, chat: str) -> bool:
        """Whether the customer of *chat* is among those who are composing."""
        return chat in self.composing

    def owner_types(self, chat: str, *, durable: bool = False) -> None:
        """The owner writes in *chat*; unless *durable*, the pause is not stored yet."""
        self._owner[chat] += 1
        self._unstored[chat] += not durable

    def owner_stored(self, chat: str) -> None:
        """Intake has made the pause durable."""
        self._unstored[chat] -= 1

    def owner_hand(self, chat: str) -> OwnerHand:
        """The owner's doings in *chat*."""
        return OwnerHand(count=self._owner[chat], pending=self._unstored[chat] > 0)

    async def typing(self, chat: str, on: bool) -> None:
        """Shown only while connected; never raises."""
        if self.connected:
            (self.typed if on else self.hidden).append(chat)

    async def mark_read(self, chat: str, wa_ids: Sequence[str]) -> None:
        """Shown only while connected; never raises."""
        if self.connected:
            self.read.append((chat, list(wa_ids)))

    async def take_picture(self, place: str) -> bytes | None:
        """What `pictures` holds under that place."""
        return self.pictures.get(place)

    async def sessions_hash(self, chat: str) -> str | None:
        """Changes with every send to the chat."""
        self.hashed.append(chat)
        return hashlib.sha256(f"{chat}:{self._ratchets[chat]}".encode()).hexdigest()

    async def send(self, outgoing: Outgoing) -> str:
        """As `bot.wire.Wire` promises, unless a failure is waiting."""
        await asyncio.sleep(self.queued)
        async with self._line:
            if outgoing.again is not None and time.monotonic() > outgoing.until:
                await outgoing.again()
            self._must_be_ready(outgoing)
            await asyncio.sleep(self.seconds)
            return self._end(outgoing)

    def _must_be_ready(self, outgoing: Outgoing) -> None:
        if not self.connected:
            raise NotSent("WhatsApp is not connected")
        if outgoing.hand not in (None, self.owner_hand(outgoing.chat)):
            raise TakenOver("the owner wrote in the chat")

    def _end(self, outgoing: Outgoing) -> str:
        if not self.failures:
            return self._arrive(outgoing)
        failure = self.failures.pop(0)
        if isinstance(failure, Unconfirmed) and self.arrives_anyway:
            self._arrive(outgoing)
        raise failure

    async def settle(self, unsettled: Sequence[Unsettled]) -> list[Settlement]:
        """By the secrets that were written."""
        return [self._settled(one) for one in unsettled]

    def _arrive(self, outgoing: Outgoing) -> str:
        wa_id = f"3EB0{len(self.arrived) + 1:018X}"
        self._written[outgoing.secret] = wa_id
        self._ratchets[outgoing.chat] += 1
        bubble = (outgoing.chat, outgoing.text, wa_id, outgoing.secret, outgoing.picture)
        self.arrived.append(Arrived(*bubble))
        self.quoted.append(outgoing.quote)
        return wa_id

    def _settled(self, one: Unsettled) -> Settlement:
        wa_id = self._written.get(one.secret)
        return Settlement(one.outbox_id, sent=wa_id is not None, wa_id=wa_id)
