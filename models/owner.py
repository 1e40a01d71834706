"""The owner's verbs: what happens when the owner of a company writes on the phone."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.details import details
from models.ledger_rows import stage_of
from models.values import CustomerRef, InboundMessage

Call = Callable[..., Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class OwnerWrote:
    """What an owner's message did; without ``inbox_id`` it had come before.

    ``deed`` is paused, resumed (it was the word that gives the chat back), or automatic (a text of
    the Business app, which takes nobody's chat).
    """

    verdict: str
    inbox_id: int | None
    customer: CustomerRef
    deed: str | None


class OwnerDesk:
    """Each verb is one SQL function, one round trip; each may raise RetryLater."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def wrote(
        self, message: InboundMessage, *, pause_seconds: float, resume_word: str
    ) -> OwnerWrote:
        """Keep what the owner wrote in a customer's chat, and pause the chat or give it back.

        A company's own minutes and word come before these; without any word none gives it back.
        """
        row = await self._call(
            "road_owner_wrote", message.company_id, message.wa_id, message.channel.value,
            message.phone, message.lid, message.chat, message.kind.value, message.text,
            message.sent_at, message.journal_seq, pause_seconds, resume_word or None,
            json.dumps(kept) if (kept := details(message)) else None,
        )  # fmt: skip
        customer = CustomerRef(
            row["customer_id"],
            row["phone"] or message.phone,
            row["customer_name"],
            stage_of(row["stage"]),
        )
        return OwnerWrote(row["verdict"], row["inbox_id"], customer, row["deed"])

    async def today(self, company_id: UUID, *, zone: str) -> dict[str, Any]:
        """The day at a glance, since midnight by the company's clocks or those of *zone*."""
        row = await self._call("road_today", company_id, zone)
        return dict(json.loads(next(iter(row.values()))))
