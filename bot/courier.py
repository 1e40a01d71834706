"""One wire's parts: typing, pace, the last look, send, mark, remember; settlement after a crash."""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from bot.background import Background
from bot.insistence import insist
from bot.lanes import Chat, Lanes
from bot.logs import log_context
from bot.memory import Memory
from bot.metrics import Metrics
from bot.presence import Presence
from bot.wire import NotSent, Outgoing, OwnerHand, TakenOver, Unconfirmed, Unsettled, Wire
from models.errors import GiveUp, RetryLater
from models.ledger import Ledger
from models.ledger_rows import Part
from models.manner import Manner
from models.values import Channel, Line, Sender

log = logging.getLogger(__name__)

T = TypeVar("T")

CLOSE_SECONDS = 3.0
"""A stop of all sessions takes ten at most, and closing a dead line alone takes the client five."""
SECRET_BYTES = 32
"""``messageContextInfo.messageSecret`` is 32 random bytes in WhatsApp's own clients."""


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
        self._host = host
        self._fence = fence
        self._pace = pace
        self._chat = chat
        self._usual = usual
        self.presence = Presence(wire, background)
        self._one_in_flight = asyncio.Lock()
        self._queues: dict[UUID, deque[Part]] = {}
        self._held: dict[int, float] = {}
        self._closed = False

    async def settle(self) -> None:
        """Decide every send whose end nobody saw, before anything new leaves."""
        company, channel = self.wire.company_id, self.wire.channel
        fence = self._fence if channel is Channel.WHATSAPP else None
        await self._settle(await self._ledger.unsettled(company, channel, self._chat, fence))

    async def _settle_dropped(self) -> None:
        """Decide sends of ours that nobody watches any more: a store was away when they ended."""
        company, channel = self.wire.company_id, self.wire.channel
        rows = await self._ledger.unsettled(company, channel, self._chat, self._fence + 1)
        await self._settle([row for row in rows if row["id"] not in self._held])

    async def _settle(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        company = self.wire.company_id
        questions = [
            Unsettled(row["id"], row["chat"], bytes.fromhex(row["secret"]), row["sessions_hash"])
            for row in rows
        ]
        secret_of = {question.outbox_id: question.secret for question in questions}
        for found in await self.wire.settle(questions):
            log.info("send settled", extra={"outbox": found.outbox_id, "sent": found.sent})
            self._metrics.settled(sent=found.sent)
            if found.sent:
                await self._ledger.sent(company, found.outbox_id, found.wa_id, confirmed=False)
            else:
                await self._unsent(found.outbox_id, secret_of[found.outbox_id], "it never left")

    async def fetch(self) -> None:
        """Look into the outbox for parts that nobody offered."""
        if self._closed or not self.wire.connected:
            return
        with suppress(RetryLater):
            await self._settle_dropped()
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
            self._held[part.id] = time.monotonic()
            queue = self._queues.get(part.customer.id)
            if queue is not None:
                queue.append(part)
                continue
            self._queues[part.customer.id] = deque([part])
            self._background.start(self._carry(part.customer.id), name="deliver")

    async def close(self) -> None:
        """Begin nothing more; returns when nothing is about to be handed to the wire.

        What still holds the wire after `CLOSE_SECONDS` is in the client's hands already.
        """
        self._closed = True
        self.presence.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS), self._one_in_flight:
                return

    async def _carry(self, customer: UUID) -> None:
        queue = self._queues[customer]
        try:
            going = True
            while going and queue and not self._closed:
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

    async def _deliver(self, part: Part) -> bool:
        """Carry one part; False when it did not leave: those after it are looked at anew."""
        manner = part.manner.over(self._usual)
        pause = self._pace.seconds(part.text, part.manner.pace_seconds)
        if pause and not self.wire.owner_hand(part.chat).pending:
            await self.presence.write(part.chat, pause, typing=bool(manner.typing))
        picture = await self.wire.take_picture(part.picture) if part.picture else None
        sessions_hash = await self.wire.sessions_hash(part.chat)  # While others have the wire.
        async with self._one_in_flight:
            if self._closed or not self.wire.connected:
                raise RetryLater("nothing can leave by this wire now")
            wa_id, confirmed = await self._send(part, sessions_hash, picture)
        if not confirmed and wa_id is None:
            self.presence.hide(part.chat)
            return False
        self.presence.arrived(part.chat)
        line_id = wa_id or f"outbox-{part.id}"
        line = Line(line_id, datetime.now(UTC), Sender.AGENT, part.text, part.ai)
        self._memory.remember("outbox", part.id, part.company_id, part.customer, line)
        more = await self._insist(
            lambda: self._ledger.sent(part.company_id, part.id, wa_id, confirmed=confirmed)
        )
        self._metrics.sent(part.kind)
        self._metrics.delivered(time.monotonic() - self._held[part.id])
        if part.id == self._last_of(part.customer.id):
            self._said_all((part.company_id, part.customer.id), line_id if more else None)
        return True

    def _said_all(self, chat: Chat, more: str | None) -> None:
        self._lanes.answered(chat)
        if more is not None:
            self._lanes.ring_now(chat, more)

    def _last_of(self, customer: UUID) -> int:
        return self._queues[customer][-1].id

    async def _send(
        self, part: Part, sessions_hash: str | None, picture: bytes | None
    ) -> tuple[str | None, bool]:
        """The id it left under and whether that is certain; (None, False): it did not leave."""
        secret, hand = secrets.token_bytes(SECRET_BYTES), self.wire.owner_hand(part.chat)
        outcome = await self._last_look(part, hand, secret, sessions_hash)
        if outcome != "go":
            self._metrics.unsent(outcome)
            return None, False
        try:
            outgoing = Outgoing(part.chat, part.text, secret, hand, picture, part.quote)
            return await self.wire.send(outgoing), True
        except TakenOver:
            await self._stop(part)
            self._metrics.unsent("stopped")
            return None, False
        except NotSent as error:
            await self._unsent(part.id, secret, str(error))
            raise RetryLater(str(error)) from error
        except GiveUp as error:
            log.warning("WhatsApp refuses a reply", extra={"outbox": part.id, "why": str(error)})
            await self._unsent(part.id, secret, str(error), give_up=True)
            return None, False
        except Unconfirmed:
            return await self._find_out(part, secret, sessions_hash)

    async def _stop(self, part: Part) -> None:
        await self._insist(lambda: self._ledger.stop(part.company_id, part.id, "paused: owner"))

    async def _last_look(
        self, part: Part, hand: OwnerHand, secret: bytes, sessions_hash: str | None
    ) -> str:
        """Whether this part may leave now: go, stopped or gone.

        Between the answer "go" and the call into the wire nothing is awaited; the wire looks at
        the owner's hand once more in the moment in which the client gets the text.
        """
        outcome = "stopped"
        if not hand.pending:
            outcome = await self._begin_sending(part, secret, sessions_hash)
        if hand.pending or (outcome == "go" and self.wire.owner_hand(part.chat) != hand):
            await self._stop(part)
            return "stopped"
        return outcome

    async def _begin_sending(self, part: Part, secret: bytes, sessions_hash: str | None) -> str:
        try:
            return await self._ledger.sending(
                part,
                host=self._host,
                fence=self._fence,
                secret=secret,
                sessions_hash=sessions_hash,
                oldest_seconds=self._pace.oldest_seconds,
            )
        except RetryLater:
            # It may have been committed all the same; nothing has left yet.
            await self._unsent(part.id, secret, "the ledger did not answer")
            raise

    async def _find_out(
        self, part: Part, secret: bytes, sessions_hash: str | None
    ) -> tuple[str | None, bool]:
        question = Unsettled(part.id, part.chat, secret, sessions_hash)
        found = (await self.wire.settle([question]))[0]
        self._metrics.settled(sent=found.sent)
        if found.sent:
            return found.wa_id or f"outbox-{part.id}", False
        await self._unsent(part.id, secret, "it never left")
        raise RetryLater("a send failed before it left")

    async def _unsent(
        self, outbox_id: int, secret: bytes, reason: str, *, give_up: bool = False
    ) -> None:
        self._metrics.unsent("failed" if give_up else "not_sent")
        company = self.wire.company_id
        await self._insist(
            lambda: self._ledger.unsent(
                company, outbox_id, secret=secret, give_up=give_up, reason=reason[:200]
            )
        )

    async def _insist(self, write: Callable[[], Awaitable[T]]) -> T:
        """Only this process knows how a send ended: the ledger is told until it has heard.

        A closed courier tries once; the next owner of the session settles the row.
        """
        return await insist(write, "the end of a send", going=lambda: not self._closed)
