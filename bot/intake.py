"""Arrival: store once, count, remember, wake the lane; the last step that runs in arrival order."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from bot.lanes import Lanes
from bot.logs import log_context
from bot.memory import Memory
from bot.metrics import Metrics
from bot.owner import OwnerWords
from bot.rate_limit import Count, Counted, RateLimit
from handlers import Prompts, is_complete, language_of
from models.ledger import Ledger
from models.ledger_rows import Accepted
from models.text import clean
from models.values import Channel, InboundMessage, Kind, Line, Sender

log = logging.getLogger(__name__)

OVER = "over the rate limit"
"""Why a message is silent that came when its customer's window was full."""

CHANGES = {Kind.EDIT, Kind.REVOKE}
_SILENT_KINDS = {Kind.REACTION: "a reaction", Kind.CALL: "rings"}


class Intake:
    """Takes responsibility for messages: after `accept` returned, one survives anything."""

    def __init__(
        self,
        ledger: Ledger,
        limit: RateLimit,
        lanes: Lanes,
        memory: Memory,
        *,
        prompts: Prompts,
        metrics: Metrics,
        owner: OwnerWords,
        notify: Callable[[UUID, Channel], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._limit = limit
        self._lanes = lanes
        self._memory = memory
        self._prompts = prompts
        self._metrics = metrics
        self._owner = owner
        self._notify = notify
        self._now = now

    async def accept(self, message: InboundMessage) -> None:
        """Keep *message* and start what follows from it.

        Raises RetryLater when that did not all happen: give it again, a repetition is known.
        """
        with log_context(company=message.company_id, wa_id=message.wa_id):
            await self._accept(message)

    async def _accept(self, message: InboundMessage) -> None:
        message = replace(message, text=clean(message.text), name=_short(message.name))
        if message.kind in CHANGES:
            await self._change(message)
            return
        if message.kind is Kind.HANG_UP:
            await self._call_over(message)
            return
        if message.sender is Sender.OWNER:
            await self._owner.take(message)
            return
        kept, count = await self._keep_and_count(message)
        await self._limit_what_follows(message, kept, count)
        if kept.inbox_id is None:
            return
        line = Line(message.wa_id, message.sent_at, message.sender, message.text)
        self._memory.remember("inbox", kept.inbox_id, message.company_id, kept.customer, line)
        if kept.reason not in (None, OVER):
            log.info("message kept in silence", extra={"reason": kept.reason})
        elif count.counted.over:
            await self._refuse(message, kept, count)
        else:
            await self._welcome(message, kept, kept.inbox_id)

    async def _change(self, message: InboundMessage) -> None:
        """An edit or a revoke: what waits is answered as it stands now."""
        done = await self._ledger.change(message)
        if done.inbox_id is None:
            return
        self._metrics.accepted(done.applied)
        log.info("a message was changed", extra={"kind": message.kind, "applied": done.applied})
        line = Line(message.wa_id, message.sent_at, message.sender, message.text)
        line = replace(line, amends=done.amends)
        self._memory.remember("inbox", done.inbox_id, message.company_id, done.customer, line)
        if done.applied in ("changed", "removed"):
            self._lanes.wake((message.company_id, done.customer.id), message.wa_id)

    async def _call_over(self, message: InboundMessage) -> None:
        """A call that the owner took is not answered; one that was missed is."""
        call, taken = message.target or "", bool(message.facts["taken"])
        log.info("a call is over", extra={"call": call, "taken": taken})
        if customer := await self._ledger.call_over(message.company_id, call, taken=taken):
            self._lanes.wake((message.company_id, customer), call)

    async def _keep_and_count(self, message: InboundMessage) -> tuple[Accepted, Count]:
        """Both at once, to save a wait; what is not kept now, or was before, is counted back."""
        counts = self._counts(message)
        counting = asyncio.ensure_future(self._count(message, counts=counts))
        kept: Accepted | None = None
        try:
            kept = await self._keep(message, counts=counts)
            self._metrics.accepted(kept.verdict)
        finally:
            count = await counting
            if kept is None or kept.inbox_id is None:
                await self._limit.uncount(message.company_id, message.phone, count)
        former = kept.former or message.phone
        if kept.inbox_id is not None and former != kept.customer.phone:
            phone = kept.customer.phone
            if kept.former is not None:
                log.info("a customer has shown a number", extra={"chat": str(kept.customer.id)})
            count = await self._limit.follow(message.company_id, former, phone, count)
        return kept, count

    async def _keep(self, message: InboundMessage, *, counts: bool) -> Accepted:
        return await self._ledger.accept(
            message,
            reason=_silent(message),
            pause_seconds=0.0,
            over=OVER if counts else None,
        )

    async def _count(self, message: InboundMessage, *, counts: bool) -> Count:
        return await self._limit.count(message.company_id, message.phone) if counts else Count()

    def _counts(self, message: InboundMessage) -> bool:
        theirs = message.sender is not Sender.OWNER and _silent(message) is None
        return theirs and self._limit.counts(sent_at=message.sent_at, now=self._now())

    async def _limit_what_follows(
        self, message: InboundMessage, kept: Accepted, count: Count
    ) -> None:
        """Let the ledger know of a full window before the next message can come.

        The ledger keeps a message while Redis still counts it, so what is over the limit must be
        silent from the start: it could take a reply back or join a turn. A message that comes
        again tells it too, because the first time may have ended before this.
        """
        over = count.counted.over
        repeated = kept.inbox_id is None and not over
        if count.full_until is None or kept.reason == OVER or repeated:
            return
        await self._ledger.limit(
            message.company_id,
            kept.customer.id,
            seconds=count.full_until - time.monotonic(),
            over=OVER,
            inbox_id=kept.inbox_id if over else None,
        )

    async def _refuse(self, message: InboundMessage, kept: Accepted, count: Count) -> None:
        """Over the limit: kept, silent, and told so once a window."""
        self._metrics.limited()
        if count.counted is Counted.FIRST_OVER:
            await self._ledger.notice(
                message.company_id,
                kept.customer.id,
                message.channel,
                message.chat,
                self._prompts.say(language_of(message.text) or "es").slow_down,
            )
            self._notify(message.company_id, message.channel)

    async def _welcome(self, message: InboundMessage, kept: Accepted, inbox_id: int) -> None:
        if kept.reason is not None:
            await self._ledger.admit(message.company_id, kept.customer.id, inbox_id)
        self._lanes.wake(
            (message.company_id, kept.customer.id),
            message.wa_id,
            complete=is_complete(message.text),
            place=message.chat,
        )


def _silent(message: InboundMessage) -> str | None:
    """Why this message is only kept, as far as it says so itself."""
    if message.stale:
        return "too old when it arrived"
    return _SILENT_KINDS.get(message.kind)


def _short(name: str | None) -> str | None:
    """A push name as the customers table can hold it: cleaned, at most 255 characters."""
    return clean(name)[:255].strip() or None if name else None
