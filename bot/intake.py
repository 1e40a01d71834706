"""Arrival: store once, count, remember, wake the lane; the last step that runs in arrival order."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from bot.lanes import Lanes
from bot.logs import log_context
from bot.memory import Memory
from bot.metrics import Metrics
from bot.rate_limit import Counted, RateLimit
from handlers import Phrases
from models.ledger import Accepted, Ledger
from models.text import clean
from models.values import Channel, InboundMessage, Line, Sender

log = logging.getLogger(__name__)


class Intake:
    """Takes responsibility for messages: after `accept` returned, one survives anything."""

    def __init__(
        self,
        ledger: Ledger,
        limit: RateLimit,
        lanes: Lanes,
        memory: Memory,
        *,
        phrases: Phrases,
        metrics: Metrics,
        pause_minutes: int,
        notify: Callable[[UUID, Channel], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._limit = limit
        self._lanes = lanes
        self._memory = memory
        self._phrases = phrases
        self._metrics = metrics
        self._pause_seconds = pause_minutes * 60.0
        self._notify = notify
        self._now = now

    async def accept(self, message: InboundMessage) -> None:
        """Keep *message* and start what follows from it. Raises RetryLater when it is not kept."""
        with log_context(company=message.company_id, wa_id=message.wa_id):
            await self._accept(message)

    async def _accept(self, message: InboundMessage) -> None:
        message = replace(message, text=clean(message.text), name=_short(message.name))
        kept, counted = await self._keep_and_count(message)
        if kept.inbox_id is None:
            return
        line = Line(message.wa_id, message.sent_at, message.sender, message.text)
        self._memory.remember("inbox", kept.inbox_id, message.company_id, kept.customer, line)
        if message.sender is Sender.OWNER:
            self._metrics.owner_paused()
            self._notify(message.company_id, message.channel)
        elif kept.reason is not None:
            log.info("message kept in silence", extra={"reason": kept.reason})
        elif counted.over:
            await self._refuse(message, kept, kept.inbox_id, counted)
        else:
            self._lanes.wake((message.company_id, kept.customer.id), message.wa_id)

    async def _keep_and_count(self, message: InboundMessage) -> tuple[Accepted, Counted]:
        """Both at once, to save a wait; what is not kept now, or was before, is counted back."""
        counting = asyncio.ensure_future(self._count(message))
        kept: Accepted | None = None
        try:
            kept = await self._keep(message)
            self._metrics.accepted(kept.verdict)
        finally:
            counted = await counting
            if kept is None or kept.inbox_id is None:
                await self._limit.uncount(message.company_id, message.phone, counted)
        return kept, counted

    async def _keep(self, message: InboundMessage) -> Accepted:
        reason = "too old when it arrived" if message.stale else None
        return await self._ledger.accept(message, reason=reason, pause_seconds=self._pause_seconds)

    async def _count(self, message: InboundMessage) -> Counted:
        if message.sender is Sender.OWNER or message.stale:
            return Counted.NOT_COUNTED
        return await self._limit.count(
            message.company_id, message.phone, sent_at=message.sent_at, now=self._now()
        )

    async def _refuse(
        self, message: InboundMessage, kept: Accepted, inbox_id: int, counted: Counted
    ) -> None:
        """Over the limit: kept, silent, and told so once a window."""
        await self._ledger.hush(message.company_id, inbox_id, "over the rate limit")
        self._metrics.limited()
        if counted is Counted.FIRST_OVER:
            await self._ledger.notice(
                message.company_id,
                kept.customer.id,
                message.channel,
                message.chat,
                self._phrases.slow_down,
            )
            self._notify(message.company_id, message.channel)


def _short(name: str | None) -> str | None:
    """A push name as the customers table can hold it: cleaned, at most 255 characters."""
    return clean(name)[:255].strip() or None if name else None
