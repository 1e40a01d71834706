"""The ledger's rows: what its functions answer, and how that becomes values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from models.ai_metadata import ai_metadata
from models.details import quote_of
from models.manner import UNSAID, Manner, manner_of
from models.values import (
    AiMetadata,
    Channel,
    CompanyCard,
    CustomerRef,
    InboundMessage,
    Kind,
    Line,
    ProductCard,
    Quote,
    Sender,
    Stage,
    Turn,
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What intake did: ``verdict`` is new, collision or duplicate; ``reason`` means silence.

    ``former`` is the phone under which the customer was known until this message.
    """

    verdict: str
    inbox_id: int | None
    customer: CustomerRef
    reason: str | None
    former: str | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of an edit or a revoke; without ``inbox_id`` it had come before.

    ``applied`` is changed, removed, emptied (nothing is left to answer) or late; ``amends`` is the
    line whose text is another one now.
    """

    inbox_id: int | None
    customer: CustomerRef
    applied: str
    amends: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """``outcome`` is claimed, busy, nothing or silent; ``turn`` is there when claimed.

    ``unremembered`` are ledger lines that the conversation document may not hold yet.
    """

    outcome: str
    turn: Turn | None = None
    unremembered: tuple[Line, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One outbox row that is ready to leave.

    ``picture`` is where the picture beside it is, ``quote`` what it shows that it answers.
    """

    id: int
    company_id: UUID
    customer: CustomerRef
    kind: str
    chat: str
    text: str
    ai: AiMetadata | None
    picture: str | None = None
    manner: Manner = UNSAID
    quote: Quote | None = None


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one message; ``state`` None: no such message."""

    state: str | None
    reason: str | None
    open_parts: int
    sent_parts: int


def parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def dumped(value: object) -> str | None:
    return None if value is None else json.dumps(value)


def line_of(raw: Mapping[str, Any]) -> Line:
    return Line(raw["id"], datetime.fromisoformat(raw["at"]), Sender(raw["sender"]), raw["text"])


def _waiting(raw: Mapping[str, Any]) -> Line:
    line = line_of({**raw, "sender": "customer"})
    return line if raw["quote"] is None else replace(line, quote=quote_of(raw["quote"]))


def stage_of(word: str | None) -> Stage:
    """A customer's stage; a word of somebody else's is one that we do not move on from."""
    try:
        return Stage(word or Stage.LEAD)
    except ValueError:
        return Stage.QUALIFIED


def sender_of(message: InboundMessage, row: Mapping[str, Any]) -> CustomerRef:
    stage = stage_of(row["stage"])
    phone = row.get("phone") or message.phone
    return CustomerRef(row["customer_id"], phone, row["customer_name"], stage)


def turn_of(data: Mapping[str, Any]) -> Turn:
    turn, customer, company = data["turn"], data["customer"], data["company"]
    messages = data["messages"] or []
    return Turn(
        id=UUID(turn["id"]),
        attempt=turn["attempt"],
        tries=turn["tries"],
        company=CompanyCard(
            UUID(company["id"]),
            company["name"],
            company["brand_personality"],
            company["system_prompt"],
            tuple(_product(number, raw) for number, raw in enumerate(data["products"], 1)),
        ),
        customer=customer_of(customer),
        channel=Channel(turn["channel"]),
        chat=turn["chat"],
        messages=tuple(_waiting(raw) for raw in messages),
        kinds=tuple(Kind(raw["kind"]) for raw in messages),
        superseded=turn["superseded"],
        deferred=turn["deferred"],
        manner=manner_of(data["manner"]),
    )


def customer_of(raw: Mapping[str, Any]) -> CustomerRef:
    return CustomerRef(
        UUID(raw["id"]),
        raw["phone"],
        raw["name"],
        stage_of(raw["stage"]),
        opted_out=bool(raw.get("opted_out")),
    )


def _product(number: int, raw: Mapping[str, Any]) -> ProductCard:
    return ProductCard(
        ref=f"P{number}",
        id=UUID(raw["id"]),
        name=raw["name"],
        description=raw["description"] or "",
        price=Decimal(raw["price"]),
        currency=raw["currency"] or "USD",
        payment_link=raw["payment_link"],
        picture=raw["image"],
    )


def part_of(company_id: UUID, raw: Mapping[str, Any]) -> Part:
    return Part(
        id=raw["id"],
        company_id=company_id,
        customer=customer_of({**raw, "id": raw["customer_id"]}),
        kind=raw["kind"],
        chat=raw["chat"],
        text=raw["content"],
        ai=ai_metadata(raw["ai_metadata"]),
        picture=raw["picture"],
        manner=manner_of(raw["manner"]),
        quote=Quote(**raw["quote"]) if raw["quote"] else None,
    )
