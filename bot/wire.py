"""What delivery needs of a channel: the seam between our road and the outside world."""

import math
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from models.errors import LyroxError
from models.values import Channel, Quote

SECRET_BYTES = 32
"""``messageContextInfo.messageSecret`` is 32 random bytes in WhatsApp's own clients."""


def new_secret() -> bytes:
    """What tells one try of a send from every other."""
    return secrets.token_bytes(SECRET_BYTES)


class NotSent(LyroxError):
    """The text certainly never left: the same row may be tried again."""


class TakenOver(NotSent):
    """The owner wrote in the chat meanwhile: the text never left, and must not leave any more."""


class Unconfirmed(LyroxError):
    """The text may have arrived: ask ``settle`` and never simply repeat it."""


@dataclass(frozen=True, slots=True)
class OwnerHand:
    """What the owner did in a chat, as seen by this process without waiting for a store.

    ``count`` grows with every owner message; ``pending`` holds from the callback until
    intake has made the pause durable.
    """

    count: int = 0
    pending: bool = False


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One bubble to send; ``secret`` is 32 random bytes that identify this very try.

    ``hand`` is the owner's hand as the sender knows it: where it has moved on by the moment in
    which the text would be handed over, the text stays. None: the owner's hand does not matter.
    Sends take turns: where its own comes later than ``until``, of `time.monotonic`, ``again`` is
    awaited first, and what it raises ends the send, which then has not left.
    ``picture`` is what `Wire.take_picture` gave; the text is then its caption.
    ``quote`` is the message that is shown above it.
    """

    chat: str
    text: str
    secret: bytes
    hand: OwnerHand | None = None
    picture: bytes | None = None
    quote: Quote | None = None
    until: float = math.inf
    again: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A send whose end nobody saw."""

    outbox_id: int
    chat: str
    secret: bytes
    sessions_hash: str | None


@dataclass(frozen=True, slots=True)
class Settlement:
    """``sent`` False means it certainly never left."""

    outbox_id: int
    sent: bool
    wa_id: str | None = None


class Wire(Protocol):
    """One company's way out on one channel."""

    @property
    def company_id(self) -> UUID: ...
    @property
    def channel(self) -> Channel: ...
    @property
    def connected(self) -> bool:
        """Whether a send may leave now; parts wait in the ledger meanwhile.

        False too until what came while the wire was away has been read: it may be the owner's.
        """

    @property
    def catching_up(self) -> bool:
        """Whether what came while the wire was away is still coming in: turns wait for it."""

    def customer_types(self, chat: str) -> bool:
        """Whether the customer is typing now, where the company wants to know; at once."""

    def owner_hand(self, chat: str) -> OwnerHand:
        """The owner's doings in *chat*; answers at once, without I/O."""

    async def typing(self, chat: str, on: bool) -> None:
        """Show or hide "typing…"; never raises, a failure is only logged."""

    async def mark_read(self, chat: str, wa_ids: Sequence[str]) -> None:
        """Show the customer that these were read; never raises, a failure is only logged."""

    async def sessions_hash(self, chat: str) -> str | None:
        """A hash of the chat's ratchet state before a send, for later settlement."""

    async def take_picture(self, place: str) -> bytes | None:
        """Fetch the picture at an address or path and make it ready to be sent.

        Never raises: None where it cannot be had now, and the text goes alone.
        """

    async def send(self, outgoing: Outgoing) -> str:
        """Send and return the message id. Raises NotSent, TakenOver or Unconfirmed."""

    async def settle(self, unsettled: Sequence[Unsettled]) -> list[Settlement]:
        """Find out what became of sends whose end nobody saw; one answer for each."""
