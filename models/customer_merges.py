"""Merges: which customers' rows turned out to be one person's, and what is left to unite."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.fields import Now

from models.ledger_rows import stage_of
from models.tenancy import CompanyModel
from models.values import CustomerRef


class CustomerMerge(CompanyModel):
    """The customer ``old_id`` is ``new_id`` now.

    ``mongo_done`` once the conversation document of the former is in that of the latter.
    """

    old_id = fields.UUIDField(primary_key=True)
    company_id = fields.UUIDField()
    new_id = fields.UUIDField()
    merged_at = fields.DatetimeField(db_default=Now())
    mongo_done = fields.BooleanField(db_default=False)

    class Meta:
        table = "customer_merges"


async def customer_now(company_id: UUID, customer_id: UUID) -> UUID:
    """The id a customer has now; *customer_id* itself unless it was merged away."""
    merge = await CustomerMerge.of(company_id).get_or_none(old_id=customer_id)
    return merge.new_id if merge else customer_id


@dataclass(frozen=True, slots=True)
class Merge:
    """Two conversation documents that must become *customer*'s one."""

    company_id: UUID
    former: UUID
    customer: CustomerRef


class MergeDesk:
    """The verbs of merges, one SQL function each. Every method may raise RetryLater."""

    def __init__(
        self,
        call: Callable[..., Awaitable[Mapping[str, Any]]],
        rows: Callable[..., Awaitable[Sequence[Mapping[str, Any]]]],
    ) -> None:
        self._call = call
        self._rows = rows

    async def open(self, limit: int = 50) -> list[Merge]:
        """Merges whose documents are still two, oldest first."""
        return [_merge(row) for row in await self._rows("desk_merges", limit)]

    async def done(self, merge: Merge) -> None:
        """The documents are one now."""
        await self._call("desk_merged", merge.former)


def _merge(row: Mapping[str, Any]) -> Merge:
    customer = CustomerRef(row["new_id"], row["phone"], row["name"], stage_of(row["stage"]))
    return Merge(row["company_id"], row["old_id"], customer)
