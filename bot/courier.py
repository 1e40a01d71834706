"""One wire's parts: typing, pace, send, mark, remember."""

import logging
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from bot.background import Background
from bot.lanes import Lanes
from bot.logs import log_context
from bot.memory import Memory
from bot.metrics import Metrics
from bot.presence import Presence
from bot.sending import NOT_LEFT, Sending
from bot.wire import Wire
from models.errors import RetryLater
from models.ledger import Ledger
from models.ledger_rows import Part
from models.manner import Manner
from models.values import Channel, Line, Sender

log = logging.getLogger(__name__)

MOST_HELD = 50
"""Parts of one wire in memory, give or take a chat's next ones; the others wait in the ledger.

Each sweep (one a second) takes up the next of those, so at most this many chats a second leave.
"""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a bubble takes to "type": seconds a character, and at most.

    A part that is older than *oldest_seconds* when its turn comes is not said any more.
    """

    per_character: float
    longest: float
    oldest_seconds: float = 12 * 3600.0

    def seconds(self, text: str, longest: float | None = None) -> float:
        """The time a person would seem to need for *text*; *longest* is a company's own."""
        most = self.longest if longest is None else longest
        return min(most, self.per_character * len(text))


class Courier:
    """Carries one wire's parts: a chat's in order, one at a time into the wire, chats in parallel.

    *chat* confines it to one chat (a terminal); *fence* proves that the session is still ours;
    *usual* is the manner of companies that say nothing of it.
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
        usual: Manner,
        chat: str | None,
    ) -> None:
        self.wire = wire
        self._ledger = ledger
        self._memory = memory
        self._lanes = lanes
        self._background = background
        self._metrics = metrics
        self._fence = fence
        self._pace = pace
        self._chat = chat
        self._usual = usual
        self.presence = Presence(wire, background)
        self._sending = Sending(
            wire, ledger, metrics, host=host, fence=fence, oldest_seconds=pace.oldest_seconds
        )
        self._queues: dict[UUID, deque[Part]] = {}
        self._held: dict[int, float] = {}
        self._leaving: dict[UUID, str] = {}  # Whose answer leaves now, and what they wrote since.
        self._behind = False  # Older parts wait in the ledger: what is new queues up there.

    async def settle(self) -> None:
        """Decide every send whose end nobody saw, before anything new leaves."""
        former = self._fence if self.wire.channel is Channel.WHATSAPP else None
        await self._sending.settle_former(self._chat, former)

    async def fetch(self) -> None:
        """Look into the outbox for parts that nobody offered."""
        if self._sending.closed or not self.wire.connected:
            return
        with suppress(RetryLater):
            await self._sending.settle_dropped(self._chat, self._held)
            company, channel = self.wire.company_id, self.wire.channel
            parts = await self._ledger.ready(company, channel, self._chat, MOST_HELD)
            self._behind = len(parts) >= MOST_HELD
            self._take(parts)

    def offer(self, parts: Sequence[Part]) -> None:
        """Take *parts* for delivery, or leave them to `fetch` where older ones wait for it."""
        if not self._behind:
            self._take(parts)

    def _take(self, parts: Sequence[Part]) -> None:
        """Those already held are left alone; what a chat says stays together."""
        if self._sending.closed or not self.wire.connected:
            return
        for part in parts:
            if part.id in self._held:
                continue
            if self._chat is not None and part.chat != self._chat:
                continue
            queue = self._queues.get(part.customer.id)
            if queue is None and len(self._held) >= MOST_HELD:
                self._behind = True
                continue
            self._held[part.id] = time.monotonic()
            if queue is not None:
                queue.append(part)
                continue
            self._queues[part.customer.id] = deque([part])
            self._background.start(self._carry(part.customer.id), name="deliver")

    def ring_later(self, customer: UUID, message_id: str) -> bool:
        """Whether *customer*'s answer is leaving at this moment: then it rings when that is over.

        No turn can begin before: the ledger would find the customer busy.
        """
        if customer not in self._leaving:
            return False
        self._leaving[customer] = message_id
        return True

    async def close(self) -> None:
        """Begin nothing more; returns when nothing is about to be handed to the wire."""
        self.presence.close()
        await self._sending.close()

    async def _carry(self, customer: UUID) -> None:
        queue = self._queues[customer]
        try:
            going = True
            while going and queue and not self._sending.closed:
                with log_context(company=self.wire.company_id, chat=customer):
                    going = await self._deliver(queue[0])
                self._held.pop(queue.popleft().id)
        except RetryLater as error:
            log.warning("delivery waits", extra={"why": str(error)})
        finally:
            # What is left stays `ready` in the ledger; the sweeper brings it back.
            for part in queue:
                self._held.pop(part.id)
            del self._queues[customer]
            if newest := self._leaving.pop(customer, ""):
                self._lanes.ring_now((self.wire.company_id, customer), newest)

    async def _deliver(self, part: Part) -> bool:
        """Carry one part; False when it did not leave: those after it are looked at anew."""
        manner = part.manner.over(self._usual)
        pause = self._pace.seconds(part.text, part.manner.pace_seconds)
        if pause and not self.wire.owner_hand(part.chat).pending:
            await self.presence.write(part.chat, pause, typing=bool(manner.typing))
        picture = await self.wire.take_picture(part.picture) if part.picture else None
        sessions_hash = await self.wire.sessions_hash(part.chat)  # While others have the wire.
        left = await self._sending.send(part, sessions_hash, picture, partial(self._begun, part))
        if left == NOT_LEFT:
            self.presence.hide(part.chat)
            return False
        wa_id, confirmed = left
        self.presence.arrived(part.chat)
        line_id = wa_id or f"outbox-{part.id}"
        line = Line(line_id, datetime.now(UTC), Sender.AGENT, part.text, part.ai)
        self._memory.remember("outbox", part.id, part.company_id, part.customer, line)
        follows = self._sending.next_waits
        more = await self._sending.insist(
            lambda: self._ledger.sent(
                part.company_id, part.id, wa_id, confirmed=confirmed, look_follows=follows
            )
        )
        self._metrics.sent(part.kind)
        self._metrics.delivered(time.monotonic() - self._held[part.id])
        if part.id == self._last_of(part.customer.id):
            self._lanes.answered((part.company_id, part.customer.id))
            if more:
                self._leaving[part.customer.id] = self._leaving.get(part.customer.id) or line_id
        return True

    def _begun(self, part: Part) -> None:
        if part.kind == "reply":  # Beside a notice a turn may begin.
            self._leaving.setdefault(part.customer.id, "")

    def _last_of(self, customer: UUID) -> int:
        return self._queues[customer][-1].id
