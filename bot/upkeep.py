"""What grows without end is kept in bounds: closed ledger rows, and long conversations."""

import asyncio
import itertools
import logging
from collections.abc import Callable
from uuid import UUID

from bot.hosts import Host
from bot.metrics import Metrics
from models.conversations import Conversations
from models.errors import GiveUp, RetryLater
from models.upkeep import UpkeepDesk, every_company

log = logging.getLogger(__name__)

ROUND_SECONDS = 30.0
PURGE_EVERY = 120
SHORTEN_EVERY = 10
"""Rounds from one to the next; the first round of a process is one of them."""
BREATH_SECONDS = 0.05
"""A rest between two batches, so that the road hardly notices."""
BATCHES_AT_ONCE = 2000
"""A purge ends after so many; the next goes on."""


class Upkeep:
    """One in each daemon; only the eldest daemon's works, so that nothing is done twice."""

    def __init__(
        self,
        desk: UpkeepDesk,
        conversations: Conversations,
        metrics: Metrics,
        *,
        host: Host,
        ledger_days: int,
        round_seconds: float = ROUND_SECONDS,
    ) -> None:
        self._desk = desk
        self._conversations = conversations
        self._metrics = metrics
        self._host = host
        self._ledger_days = ledger_days
        self._round_seconds = round_seconds

    async def run(self, stamp: Callable[[], None] = lambda: None) -> None:
        """Work for ever, with a *stamp* each round and each batch."""
        rounds = itertools.count()
        while True:
            await asyncio.sleep(self._round_seconds)
            stamp()
            try:
                if await self._desk.eldest(self._host.id):
                    await self._keep(next(rounds), stamp)
            except (RetryLater, GiveUp) as error:
                log.warning("upkeep waits for a store", extra={"why": str(error)})

    async def _keep(self, number: int, stamp: Callable[[], None]) -> None:
        if number % PURGE_EVERY == 0:
            await self.purge(stamp)
        if number % SHORTEN_EVERY == 0:
            await self.shorten(stamp)

    async def purge(self, stamp: Callable[[], None] = lambda: None) -> int:
        """Clear what has been closed and written for `ledger_days`; how many rows went."""
        cleared, inbox, outbox = 0, 0, 0
        for _ in range(BATCHES_AT_ONCE):
            gone = await self._desk.purge(self._ledger_days, inbox=inbox, outbox=outbox)
            cleared += gone.inbox + gone.turns + gone.outbox
            self._metrics.purged(inbox=gone.inbox, turns=gone.turns, outbox=gone.outbox)
            if gone.next_inbox is None and gone.next_outbox is None:
                break
            # Behind its last old row a table has nothing more to say.
            inbox, outbox = gone.next_inbox or _BEHIND, gone.next_outbox or _BEHIND
            stamp()
            await asyncio.sleep(BREATH_SECONDS)
        if cleared:
            log.info("closed ledger rows were cleared", extra={"rows": cleared})
        return cleared

    async def shorten(self, stamp: Callable[[], None] = lambda: None) -> int:
        """Move the oldest lines of long conversations into their archive; how many.

        One that cannot be shortened now holds up no other.
        """
        moved = 0
        for company_id in await every_company():
            for customer_id in await self._conversations.archive.long_ones(company_id):
                stamp()
                try:
                    moved += await self._shorten(company_id, customer_id)
                except (RetryLater, GiveUp) as error:
                    named = {"company": str(company_id), "customer": str(customer_id)}
                    log.warning("a conversation stays long", extra=named | {"why": str(error)})
        if moved:
            log.info("long conversations were shortened", extra={"lines": moved})
        return moved

    async def _shorten(self, company_id: UUID, customer_id: UUID) -> int:
        unwritten = await self._desk.unwritten(company_id, customer_id)
        if unwritten is None:
            return 0
        moved = await self._conversations.archive.shorten(company_id, customer_id, unwritten)
        self._metrics.archived(moved)
        return moved


_BEHIND = 2**63 - 1
