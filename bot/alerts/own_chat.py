"""The owner's own "message yourself" chat, through the session that this process holds.

It goes straight into the wire, past the outbox and its couriers: no row of a customer's is
involved, so it can neither be taken for a reply nor silenced as one.
"""

from typing import Protocol
from uuid import UUID

from bot.alerts.carriers import NotDelivered, Parcel
from bot.wire import NotSent, Outgoing, Unconfirmed, Wire, new_secret
from models.errors import GiveUp


class Delivery(Protocol):
    """Who else uses a session's wire."""

    async def attach(self, wire: Wire, fence: int) -> None: ...
    async def detach(self, company_id: UUID) -> None: ...


class OwnChats:
    """Knows the wires of the sessions hosted here; a `Carrier`, and a link in the chain of those
    who are told of wires."""

    hold_seconds = 300.0  # The client may take 240 s for one message.

    def __init__(self) -> None:
        self._wires: dict[UUID, Wire] = {}

    def before(self, delivery: Delivery) -> "Heard":
        """*delivery*, with this one told too."""
        return Heard(self._wires, delivery)

    def ready(self, company_id: UUID) -> bool:
        """Whether the company's session is here and takes messages."""
        wire = self._wires.get(company_id)
        return wire is not None and wire.connected

    async def carry(self, parcel: Parcel) -> str:
        """Write it into the chat; what may have arrived is never written twice."""
        wire = self._wires.get(parcel.company_id)
        if wire is None or parcel.composed is None:
            raise NotDelivered("WhatsApp is not connected here")
        text = f"*LYROX · {parcel.company}*\n{parcel.composed.text}"
        secret = new_secret()
        try:
            await wire.send(Outgoing(parcel.route.address, text, secret))
        except NotSent as error:
            raise NotDelivered(str(error)) from error
        except GiveUp as error:
            raise NotDelivered(f"WhatsApp refuses it: {error}") from error
        except Unconfirmed:
            return "sent, without WhatsApp's word that it arrived"
        return "sent"


class Heard:
    """A `Delivery` that keeps the wires for the own chats too."""

    def __init__(self, wires: dict[UUID, Wire], delivery: Delivery) -> None:
        self._wires = wires
        self._delivery = delivery

    async def attach(self, wire: Wire, fence: int) -> None:
        """Use this wire, once the delivery does."""
        await self._delivery.attach(wire, fence)
        self._wires[wire.company_id] = wire

    async def detach(self, company_id: UUID) -> None:
        """Use it no more."""
        self._wires.pop(company_id, None)
        await self._delivery.detach(company_id)
