"""Whose turn begins or ends, told to the process that shows it to the customer.

To another process it travels with ``wake:{companyId}`` and is only for the eye: a note that is lost
costs two ticks.
"""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from uuid import UUID

from bot.background import Background
from bot.presence import Presence
from models.manner import Manner
from models.values import Channel, Turn

log = logging.getLogger(__name__)


class Delivery(Protocol):
    """Who knows what the customers see."""

    def presence(self, company_id: UUID, channel: Channel) -> Presence | None: ...


class Attention:
    """Tells of the turns of this process; *publish* reaches the others."""

    def __init__(
        self,
        delivery: Delivery,
        publish: Callable[[UUID, bytes], Awaitable[None]],
        background: Background,
    ) -> None:
        self._delivery = delivery
        self._publish = publish
        self._background = background

    def begin(self, turn: Turn) -> None:
        """A turn is at work."""
        manner = {"mark_read": turn.manner.mark_read, "typing": turn.manner.typing}
        self._tell(turn, {"read": [line.id for line in turn.messages], "manner": manner})

    def end(self, turn: Turn) -> None:
        """It has no reply for now."""
        self._tell(turn, {})

    def _tell(self, turn: Turn, words: dict[str, Any]) -> None:
        note = {"chat": turn.chat, **words}
        presence = self._delivery.presence(turn.company.id, turn.channel)
        if presence is not None:
            show(presence, note)
        elif turn.channel is Channel.WHATSAPP:
            self._background.start(self._send(turn.company.id, note), name="note")

    async def _send(self, company_id: UUID, note: dict[str, Any]) -> None:
        await self._publish(company_id, json.dumps(note).encode())


class Notes:
    """Hears those of other processes, for the sessions of this one."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def hear(self, company_id: UUID, note: bytes) -> None:
        """Show it; what is no note of ours is only logged."""
        presence = self._delivery.presence(company_id, Channel.WHATSAPP)
        if presence is None:
            return
        try:
            show(presence, json.loads(note))
        except (ValueError, TypeError, KeyError) as error:
            log.warning("a note cannot be read", extra={"why": repr(error)})


def show(presence: Presence, note: dict[str, Any]) -> None:
    """Begin or end what the customer sees. Raises TypeError or KeyError for another's note."""
    if "read" in note:
        presence.attend(str(note["chat"]), list(map(str, note["read"])), Manner(**note["manner"]))
    else:
        presence.hide(str(note["chat"]))
