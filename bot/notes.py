"""Whose turn begins, ends or must begin again, told to the process that has the customer's session.

To another process it travels with ``wake:{companyId}``: a note that is lost costs two ticks, or the
seconds until the sweep finds that a turn must begin again.
"""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from uuid import UUID

from bot.background import Background
from bot.lanes import Chat
from bot.presence import Presence
from models.manner import Manner
from models.values import Channel, Turn

log = logging.getLogger(__name__)


Ring = Callable[[Chat, str], None]
"""Wakes a chat, with the id of its newest message."""


class Delivery(Protocol):
    """Who knows what the customers see."""

    def presence(self, company_id: UUID, channel: Channel) -> Presence | None: ...


class Attention:
    """Tells of the turns of this process; *publish* reaches the others.

    *ring* gets a chat that waits for a turn.
    """

    def __init__(
        self,
        delivery: Delivery,
        publish: Callable[[UUID, bytes], Awaitable[None]],
        background: Background,
        ring: Ring,
    ) -> None:
        self._delivery = delivery
        self._publish = publish
        self._background = background
        self._ring = ring

    def begin(self, turn: Turn) -> None:
        """A turn is at work."""
        manner = {"mark_read": turn.manner.mark_read, "typing": turn.manner.typing}
        self._tell(turn, {"read": [line.id for line in turn.messages], "manner": manner})

    def end(self, turn: Turn) -> None:
        """It has no reply for now."""
        self._tell(turn, {})

    def again(self, turn: Turn) -> None:
        """The customer has written more, and only who takes that in knows whether more comes."""
        newest = turn.messages[-1].id
        if self._is_elsewhere(turn):
            note = {"again": str(turn.customer.id), "newest": newest}
            self._background.start(self._send(turn.company.id, note), name="note")
        else:
            self._ring((turn.company.id, turn.customer.id), newest)

    def _tell(self, turn: Turn, words: dict[str, Any]) -> None:
        note = {"chat": turn.chat, **words}
        presence = self._delivery.presence(turn.company.id, turn.channel)
        if presence is not None:
            show(presence, note)
        elif self._is_elsewhere(turn):
            self._background.start(self._send(turn.company.id, note), name="note")

    def _is_elsewhere(self, turn: Turn) -> bool:
        whatsapp = turn.channel is Channel.WHATSAPP
        return whatsapp and self._delivery.presence(turn.company.id, turn.channel) is None

    async def _send(self, company_id: UUID, note: dict[str, Any]) -> None:
        await self._publish(company_id, json.dumps(note).encode())


class Notes:
    """Hears those of other processes, for the sessions of this one; *ring* as `Attention`'s."""

    def __init__(self, delivery: Delivery, ring: Ring) -> None:
        self._delivery = delivery
        self._ring = ring

    def hear(self, company_id: UUID, note: bytes) -> None:
        """Show it; what is no note of ours is only logged."""
        presence = self._delivery.presence(company_id, Channel.WHATSAPP)
        if presence is None:
            return
        try:
            words = json.loads(note)
            if "again" in words:
                self._ring((company_id, UUID(words["again"])), str(words["newest"]))
            else:
                show(presence, words)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("a note cannot be read", extra={"why": repr(error)})


def show(presence: Presence, note: dict[str, Any]) -> None:
    """Begin or end what the customer sees. Raises TypeError or KeyError for another's note."""
    if "read" in note:
        presence.attend(str(note["chat"]), list(map(str, note["read"])), Manner(**note["manner"]))
    else:
        presence.hide(str(note["chat"]))
