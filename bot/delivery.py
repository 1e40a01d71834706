"""Outbox to wire: typing, pace, the last look, send, mark, remember; settlement after a crash."""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from bot.background import Background
from bot.lanes import Lanes
from bot.memory import Memory
from bot.metrics import Metrics
from bot.wire import NotSent, Outgoing, OwnerHand, Unconfirmed, Unsettled, Wire
from models.errors import GiveUp, RetryLater
from models.ledger import Ledger, Part
from models.values import Channel, Line, Sender

log = logging.getLogger(__name__)

SECRET_BYTES = 32
"""``messageContextInfo.messageSecret`` is 32 random bytes in WhatsApp's own clients."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a bubble takes to "type": seconds a character, and at most."""

    per_character: float
    longest: float

    def seconds(self, text: str) -> float:
        """The time a person would seem to need for *text*."""
        return min(self.longest, self.per_character * len(text))


class Courier:
    """Carries one wire's parts: a chat's in order, one at a time into the wire, chats in parallel.

    *chat* confines it to one chat (a terminal); *fence* proves that the session is still ours.
    """

    def __init__(
        self,
        wire: Wire,
        ledger: Ledger,
        memory: Memory,
        lanes: Lanes,
        background: Background,
        metrics: Metrics,
        *,
        host: UUID,
        fence: int,
        pace: Pace,
        chat: str | None,
    ) -> None:
        self.wire = wire
        self._ledger = ledger
        self._memory = memory
        self._lanes = lanes
        self._background = background
        self._metrics = metrics
        self._host = host
        self._fence = fence
        self._pace = pace
        self._chat = chat
        self._one_in_flight = asyncio.Lock()
        self._queues: dict[UUID, deque[Part]] = {}
        self._held: set[int] = set()
        self._closed = False

    async def settle(self) -> None:
        """Decide every send whose end nobody saw, before anything new leaves."""
        company, channel = self.wire.company_id, self.wire.channel
        fence = self._fence if channel is Channel.WHATSAPP else None
        rows = await self._ledger.unsettled(company, channel, self._chat, fence)
        if not rows:
            return
        questions = [
            Unsettled(row["id"], row["chat"], bytes.fromhex(row["secret"]), row["sessions_hash"])
            for row in rows
        ]
        for found in await self.wire.settle(questions):
            log.info("send settled", extra={"outbox": found.outbox_id, "sent": found.sent})
            self._metrics.settled(sent=found.sent)
            if found.sent:
                await self._ledger.sent(company, found.outbox_id, found.wa_id, confirmed=False)
            else:
                await self._unsent(found.outbox_id, "it never left")

    async def fetch(self) -> None:
        """Look into the outbox for parts that nobody offered."""
        if self._closed or not self.wire.connected:
            return
        with suppress(RetryLater):
            parts = await self._ledger.ready(self.wire.company_id, self.wire.channel, self._chat)
            self.offer(parts)

    def offer(self, parts: Sequence[Part]) -> None:
        """Take *parts* for delivery; those already held are left alone."""
        if self._closed or not self.wire.connected:
            return
        for part in parts:
            if part.id in self._held:
                continue
            if self._chat is not None and part.chat != self._chat:
                continue
            self._held.add(part.id)
            queue = self._queues.get(part.customer.id)
            if queue is not None:
                queue.append(part)
                continue
            self._queues[part.customer.id] = deque([part])
            self._background.start(self._carry(part.customer.id), name="deliver")

    async def close(self) -> None:
        """Begin nothing more; returns when nothing is about to be handed to the wire."""
        self._closed = True
        async with self._one_in_flight:
            return

    async def _carry(self, customer: UUID) -> None:
        queue = self._queues[customer]
        try:
            while queue and not self._closed:
                await self._deliver(queue[0])
                self._held.discard(queue.popleft().id)
        except RetryLater as error:
            log.warning("delivery waits", extra={"why": str(error)})
        finally:
            # What is left stays `ready` in the ledger; the sweeper brings it back.
            self._held.difference_update(part.id for part in queue)
            del self._queues[customer]

    async def _deliver(self, part: Part) -> None:
        pause = self._pace.seconds(part.text)
        if pause:
            await self.wire.typing(part.chat, on=True)
            await asyncio.sleep(pause)
        async with self._one_in_flight:
            if self._closed:
                raise RetryLater("this wire is not ours any more")
            wa_id, confirmed = await self._send(part)
        if not confirmed and wa_id is None:
            return
        line_id = wa_id or f"outbox-{part.id}"
        line = Line(line_id, datetime.now(UTC), Sender.AGENT, part.text, part.ai)
        self._memory.remember("outbox", part.id, part.company_id, part.customer, line)
        more = await self._ledger.sent(part.company_id, part.id, wa_id, confirmed=confirmed)
        self._metrics.sent(part.kind)
        if more and part.id == self._last_of(part.customer.id):
            self._lanes.ring_now((part.company_id, part.customer.id), line_id)

    def _last_of(self, customer: UUID) -> int:
        return self._queues[customer][-1].id

    async def _send(self, part: Part) -> tuple[str | None, bool]:
        """The id it left under and whether that is certain; (None, False): it did not leave."""
        hand = self.wire.owner_hand(part.chat)
        secret = secrets.token_bytes(SECRET_BYTES)
        sessions_hash = await self.wire.sessions_hash(part.chat)
        outcome = "stopped" if hand.pending else await self._ledger.sending(
            part, host=self._host, fence=self._fence, secret=secret, sessions_hash=sessions_hash
        )  # fmt: skip
        if hand.pending or (outcome == "go" and self._taken_over(part, hand)):
            await self._ledger.stop(part.company_id, part.id, "paused: owner")
            outcome = "stopped"
        if outcome != "go":
            self._metrics.unsent(outcome)
            return None, False
        try:
            return await self.wire.send(Outgoing(part.chat, part.text, secret)), True
        except NotSent as error:
            await self._unsent(part.id, str(error))
            raise RetryLater(str(error)) from error
        except GiveUp as error:
            await self._unsent(part.id, str(error), give_up=True)
            return None, False
        except Unconfirmed:
            return await self._find_out(part, secret, sessions_hash)

    def _taken_over(self, part: Part, before: OwnerHand) -> bool:
        """Whether the owner wrote in this chat while the ledger was asked."""
        return self.wire.owner_hand(part.chat) != before

    async def _find_out(
        self, part: Part, secret: bytes, sessions_hash: str | None
    ) -> tuple[str | None, bool]:
        question = Unsettled(part.id, part.chat, secret, sessions_hash)
        found = (await self.wire.settle([question]))[0]
        self._metrics.settled(sent=found.sent)
        if found.sent:
            return found.wa_id or f"outbox-{part.id}", False
        await self._unsent(part.id, "it never left")
        raise RetryLater("a send failed before it left")

    async def _unsent(self, outbox_id: int, reason: str, *, give_up: bool = False) -> None:
        self._metrics.unsent("failed" if give_up else "not_sent")
        company = self.wire.company_id
        await self._ledger.unsent(company, outbox_id, give_up=give_up, reason=reason[:200])


class Delivery:
    """The couriers of this process, one an attached wire."""

    def __init__(
        self,
        ledger: Ledger,
        memory: Memory,
        lanes: Lanes,
        background: Background,
        metrics: Metrics,
        *,
        host: UUID,
        pace: Pace,
    ) -> None:
        self._ledger = ledger
        self._memory = memory
        self._lanes = lanes
        self._background = background
        self._metrics = metrics
        self._host = host
        self._pace = pace
        self._couriers: dict[tuple[UUID, Channel], Courier] = {}

    async def attach(self, wire: Wire, fence: int, *, chat: str | None = None) -> None:
        """Settle what a former life left open on *wire*, then deliver through it."""
        courier = Courier(
            wire,
            self._ledger,
            self._memory,
            self._lanes,
            self._background,
            self._metrics,
            host=self._host,
            fence=fence,
            pace=self._pace,
            chat=chat,
        )
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

    def offer(self, channel: Channel, parts: Sequence[Part]) -> bool:
        """Parts that have just become ready, to spare a look into the ledger.

        False when no courier of this process may carry them.
        """
        courier = self._couriers.get((parts[0].company_id, channel)) if parts else None
        if courier is None:
            return False
        courier.offer(parts)
        return True

    def kick(self, company_id: UUID, channel: Channel | None = None) -> None:
        """Something may be ready in the outbox of that company."""
        for key, courier in self._couriers.items():
            if key[0] == company_id and channel in (None, key[1]):
                self._background.start(courier.fetch(), name="fetch")

    async def close(self) -> None:
        """Begin nothing more anywhere."""
        for company_id, channel in list(self._couriers):
            await self.detach(company_id, channel)
