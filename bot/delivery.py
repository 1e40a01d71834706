"""Outbox to wires: which courier of this process carries what is ready."""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from bot.background import Background
from bot.courier import Courier
from bot.presence import Presence
from bot.wire import Wire
from models.ledger_rows import Part
from models.values import Channel


class Delivery:
    """The couriers of this process, one an attached wire.

    *courier* makes one for a wire, a fence and, for a terminal, its only chat.
    """

    def __init__(
        self, courier: Callable[[Wire, int, str | None], Courier], background: Background
    ) -> None:
        self._courier = courier
        self._background = background
        self._couriers: dict[tuple[UUID, Channel], Courier] = {}

    async def attach(self, wire: Wire, fence: int, *, chat: str | None = None) -> None:
        """Settle what a former life left open on *wire*, then deliver through it."""
        courier = self._courier(wire, fence, chat)
        await courier.settle()
        self._couriers[wire.company_id, wire.channel] = courier
        await courier.fetch()

    async def detach(self, company_id: UUID, channel: Channel = Channel.WHATSAPP) -> None:
        """Stop delivering there; returns when nothing is about to leave by that wire.

        Ready parts wait in the ledger.
        """
        if courier := self._couriers.pop((company_id, channel), None):
            await courier.close()

    def has(self, company_id: UUID, channel: Channel) -> bool:
        """Whether this process delivers there."""
        return (company_id, channel) in self._couriers

    def wire(self, company_id: UUID, channel: Channel) -> Wire | None:
        """The company's way out, where this process has it."""
        courier = self._couriers.get((company_id, channel))
        return courier.wire if courier else None

    def catching_up(self, company_id: UUID) -> bool:
        """Whether more of what the company's customers wrote is still coming in here."""
        wire = self.wire(company_id, Channel.WHATSAPP)
        return wire is not None and wire.catching_up

    def customer_types(self, company_id: UUID, chat: str) -> bool:
        """Whether the customer of that chat is typing now, as far as is known here."""
        wire = self.wire(company_id, Channel.WHATSAPP)
        return wire is not None and wire.customer_types(chat)

    def presence(self, company_id: UUID, channel: Channel) -> Presence | None:
        """What that company's customers see, where this process has its way out."""
        courier = self._couriers.get((company_id, channel))
        return courier.presence if courier else None

    def offer(self, channel: Channel, parts: Sequence[Part]) -> bool:
        """Parts that have just become ready, to spare a look into the ledger.

        False when no courier of this process may carry them.
        """
        courier = self._couriers.get((parts[0].company_id, channel)) if parts else None
        if courier is None:
            return False
        courier.offer(parts)
        return True

    def ring_later(self, company_id: UUID, customer_id: UUID, message_id: str) -> bool:
        """Whether that customer's answer leaves here at this moment: it rings when that is over."""
        couriers = (self._couriers.get((company_id, channel)) for channel in Channel)
        return any(one.ring_later(customer_id, message_id) for one in couriers if one)

    def kick(self, company_id: UUID, channel: Channel | None = None) -> None:
        """Something may be ready in the outbox of that company."""
        for key, courier in self._couriers.items():
            if key[0] == company_id and channel in (None, key[1]):
                self._background.start(courier.fetch(), name="fetch")

    async def close(self) -> None:
        """Begin nothing more anywhere; wires that hang are waited for at the same time."""
        await asyncio.gather(*(self.detach(*key) for key in list(self._couriers)))
