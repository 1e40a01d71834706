"""What a ledger and its conversations need now and then: verbs that are off the road."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.companies import Company
from models.tenancy import system_scope

PURGED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Purged:
    """What one batch cleared, and where the next begins; None behind the last old row."""

    inbox: int
    turns: int
    outbox: int
    next_inbox: int | None
    next_outbox: int | None


class UpkeepDesk:
    """Every method may raise RetryLater."""

    def __init__(self, call: Callable[..., Awaitable[Mapping[str, Any]]]) -> None:
        self._call = call

    async def eldest(self, host: UUID) -> bool:
        """Whether *host* is the daemon that has been alive longest."""
        return bool(next(iter((await self._call("desk_eldest", host)).values())))

    async def purge(
        self, days: int, *, inbox: int = 0, outbox: int = 0, limit: int = PURGED_AT_ONCE
    ) -> Purged:
        """Clear what has been closed and written for *days*, of *limit* rows of each table.

        *inbox* and *outbox* are where the batch before came to.
        """
        row = await self._call("desk_purge", days, inbox, outbox, limit)
        return Purged(
            row["inbox_rows"],
            row["turn_rows"],
            row["outbox_rows"],
            row["next_inbox"],
            row["next_outbox"],
        )

    async def unwritten(self, company_id: UUID, customer_id: UUID) -> frozenset[str] | None:
        """Lines that must stay in a conversation; None: it must not be touched now."""
        row = await self._call("road_unwritten", company_id, customer_id)
        ids = next(iter(row.values()))
        return None if ids is None else frozenset(ids)


async def every_company() -> list[UUID]:
    """The ids of all companies, also of those that are not active."""
    async with system_scope():
        return [company.id for company in await Company.everywhere().only("id")]
