"""Two conversations of one person become one, in MongoDB and in the context cache."""

import logging

from bot.context_cache import ContextCache
from models.conversations import Conversations
from models.customer_merges import Merge, MergeDesk
from models.errors import GiveUp, RetryLater

log = logging.getLogger(__name__)


class Merges:
    """Finishes what the ledger's merges of customers leave to do; every step may be repeated."""

    def __init__(self, desk: MergeDesk, conversations: Conversations, cache: ContextCache) -> None:
        self._desk = desk
        self._conversations = conversations
        self._cache = cache

    async def finish(self) -> None:
        """Unite the documents of each open merge; what fails is left to the next call.

        Raises RetryLater when PostgreSQL cannot be asked.
        """
        for merge in await self._desk.open():
            try:
                united = await self._unite(merge)
            except (RetryLater, GiveUp) as error:
                log.warning("two conversations of one customer stay two", extra=_why(merge, error))
                continue
            if united:
                await self._desk.done(merge)

    async def _unite(self, merge: Merge) -> bool:
        company, customer = merge.company_id, merge.customer
        united = await self._conversations.unite(company, merge.former, customer)
        for one in (merge.former, customer.id):  # Older lines may have come between the cached.
            await self._cache.forget(company, one)
        await self._cache.heal()
        return united


def _why(merge: Merge, error: Exception) -> dict[str, str]:
    named = {"company": str(merge.company_id), "customer": str(merge.customer.id)}
    return {**named, "former": str(merge.former), "why": str(error)}
