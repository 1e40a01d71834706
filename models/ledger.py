"""The ledger's verbs: each is one SQL function of ``migrations/``, one round trip."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from models.details import details as details_of
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
    Reply,
    Sender,
    Stage,
    Turn,
)

Call = Callable[..., Awaitable[Mapping[str, Any]]]

Written = tuple[int, UUID]
"""A ledger row whose line is in a conversation document, and that document's customer."""


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


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A ledger row to be written into its conversation document; *late*: others came before it."""

    ledger: str
    row_id: int
    company_id: UUID
    customer: CustomerRef
    line: Line
    late: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """A company that should have a session; *elsewhere*: another living host holds it."""

    company_id: UUID
    last_connected: datetime | None
    elsewhere: bool


class Ledger:
    """One verb a step; every argument that names a company scopes the whole step to it."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def accept(
        self,
        message: InboundMessage,
        *,
        reason: str | None,
        pause_seconds: float,
        over: str | None = None,
    ) -> Accepted:
        """Keep *message*; afterwards it survives anything. *reason* records it as silent.

        *over* is the reason where the customer's rate limit is known to be full (`limit`); None
        for a message that the limit does not count.
        """
        row = await self._call(
            "road_accept", message.company_id, message.wa_id, message.channel.value,
            message.sender.value, message.phone, message.lid, message.chat, message.name,
            message.kind.value, message.text, message.sent_at, message.journal_seq, reason,
            pause_seconds, over, _dump(details_of(message)),
        )  # fmt: skip
        customer = _sender(message, row)
        return Accepted(row["verdict"], row["inbox_id"], customer, row["reason"], row["former"])

    async def change(self, message: InboundMessage) -> Changed:
        """Keep an edit or a revoke, and apply it while nothing has left that answers its target."""
        row = await self._call(
            "road_change", message.company_id, message.wa_id, message.channel.value, message.phone,
            message.lid, message.chat, message.name, message.kind.value, message.text,
            message.sent_at, message.journal_seq, message.target,
        )  # fmt: skip
        applied = row["applied"] or "late"
        return Changed(row["inbox_id"], _sender(message, row), applied, row["amends"])

    async def limit(
        self,
        company_id: UUID,
        customer_id: UUID,
        *,
        seconds: float,
        over: str,
        inbox_id: int | None = None,
    ) -> None:
        """The customer's rate limit is full for *seconds*: what is kept meanwhile is silent.

        So is the pending message *inbox_id*, which was kept before this was known.
        """
        await self._call("road_limit", company_id, customer_id, seconds, inbox_id, over)

    async def admit(self, company_id: UUID, customer_id: UUID, inbox_id: int) -> None:
        """A message that was silent from the start by `limit` is to be answered after all."""
        await self._call("road_admit", company_id, customer_id, inbox_id)

    async def notice(
        self, company_id: UUID, customer_id: UUID, channel: Channel, chat: str, text: str
    ) -> int:
        """Put a notice into the outbox; it is nobody's turn."""
        return int(
            await self._value("road_notice", company_id, customer_id, channel.value, chat, text)
        )

    async def claim(self, company_id: UUID, customer_id: UUID, host: UUID) -> Claim:
        """Open (or take up again) the customer's turn; whoever is first has it."""
        data = _json(await self._value("road_claim", company_id, customer_id, host))
        if data["outcome"] != "claimed":
            return Claim(data["outcome"], reason=data.get("reason"))
        return Claim("claimed", _turn(data), tuple(_line(raw) for raw in data["unremembered"]))

    async def answer(
        self, turn: Turn, reply: Reply, *, host: UUID, details: Mapping[str, object]
    ) -> tuple[str, list[int]]:
        """Record the reply. Outcome: ready with outbox ids, or lost, joined, silent."""
        row = await self._call(
            "road_answer", turn.company.id, turn.id, turn.attempt, host, list(reply.parts),
            reply.handler, _dump(reply.ai and ai_document(reply.ai)),
            reply.stage and reply.stage.value, reply.pause_minutes, reply.pause_reason,
            reply.opt_out, reply.event, _dump(reply.event_data), _dump(details),
        )  # fmt: skip
        return row["outcome"], list(row["outbox_ids"] or ())

    async def silence(self, turn: Turn, *, host: UUID, reason: str, handler: str | None) -> bool:
        """End the turn without a reply; False when the turn is no longer ours."""
        args = (turn.company.id, turn.id, turn.attempt, host, reason, handler)
        return bool(await self._value("road_silence", *args))

    async def defer(
        self, turn: Turn, *, host: UUID, delay: float, reason: str, notice: str, notice_minutes: int
    ) -> int | None:
        """Let the turn wait *delay* seconds; returns a notice's outbox id if one is due."""
        row = await self._call(
            "road_defer", turn.company.id, turn.id, turn.attempt, host, delay, reason, notice,
            notice_minutes,
        )  # fmt: skip
        return row["notice_id"] if row["deferred"] else None

    async def ready(
        self, company_id: UUID, channel: Channel, chat: str | None, limit: int = 100
    ) -> list[Part]:
        """Parts that may leave by this channel, oldest first."""
        rows = _json(await self._value("road_ready", company_id, channel.value, chat, limit))
        return [_part(company_id, row) for row in rows]

    async def sending(
        self,
        part: Part,
        *,
        host: UUID,
        fence: int,
        secret: bytes,
        sessions_hash: str | None,
        oldest_seconds: float = 12 * 3600.0,
    ) -> str:
        """The last look before a part leaves: go, stopped (taken over, too old) or gone."""
        args = (part.company_id, part.id, host, fence, secret, sessions_hash, oldest_seconds)
        return str(await self._value("road_sending", *args))

    async def sent(
        self, company_id: UUID, outbox_id: int, wa_id: str | None, *, confirmed: bool
    ) -> bool:
        """Mark a part as sent; True when the customer has written more meanwhile."""
        return bool(await self._value("road_sent", company_id, outbox_id, wa_id, confirmed))

    async def unsent(
        self, company_id: UUID, outbox_id: int, *, secret: bytes, give_up: bool, reason: str
    ) -> None:
        """A try that certainly never left: its part is ready again, or failed for good.

        Nothing happens to a part that is being sent under another *secret* by now.
        """
        await self._call("road_unsent", company_id, outbox_id, secret, give_up, reason)

    async def stop(self, company_id: UUID, outbox_id: int, reason: str) -> None:
        """Leave a part and those after it unsaid."""
        await self._call("road_stop", company_id, outbox_id, reason)

    async def unsettled(
        self, company_id: UUID, channel: Channel, chat: str | None, fence: int | None
    ) -> list[dict[str, Any]]:
        """Sends whose end nobody saw: ``id``, ``chat``, ``secret`` (hex), ``sessions_hash``."""
        rows = await self._value("road_unsettled", company_id, channel.value, chat, fence)
        return list(_json(rows))

    async def fate(self, company_id: UUID, wa_id: str) -> Fate:
        """What became of one message."""
        row = await self._call("road_fate", company_id, wa_id)
        return Fate(row["state"], row["reason"], row["open_parts"] or 0, row["sent_parts"] or 0)

    async def lease(self, company_id: UUID, host: UUID) -> int | None:
        """Take or renew a session lease; its fence, or None while another host lives on it."""
        fence = await self._value("road_lease", company_id, host)
        return None if fence is None else int(fence)

    async def holds(self, company_id: UUID, host: UUID, fence: int) -> bool:
        """Whether a lease taken with *fence* still stands."""
        return bool(await self._value("road_holds", company_id, host, fence))

    async def release(self, company_id: UUID, host: UUID, fence: int) -> None:
        """Give a session lease back, if it is still ours."""
        await self._call("road_release", company_id, host, fence)

    async def _value(self, function: str, *args: object) -> Any:
        row = await self._call(function, *args)
        return next(iter(row.values()))


class Desk:
    """The ledger's verbs that look across companies; only the sweeper and the hosts use them."""

    def __init__(self, call: Call, rows: Callable[..., Awaitable[Sequence[Mapping[str, Any]]]]):
        self._call = call
        self._rows = rows

    async def beat(
        self, host: UUID, *, name: str, shard: int, role: str
    ) -> tuple[bool, dict[UUID, int]]:
        """Beat once. Returns whether we had been declared dead, and everybody's beats."""
        row = await self._call("desk_beat", host, name, shard, role)
        beats = {UUID(key): int(value) for key, value in _json(row["beats"]).items()}
        return bool(row["missing"]), beats

    async def bury(self, hosts: Sequence[UUID]) -> int:
        """Free what dead hosts held; returns how many turns became claimable."""
        row = await self._call("desk_bury", list(hosts))
        return int(next(iter(row.values())))

    async def tidy(
        self,
        host: UUID,
        running: Sequence[UUID],
        *,
        age_seconds: float,
        inbox: Sequence[Written] = (),
        outbox: Sequence[Written] = (),
    ) -> int:
        """Free this host's turns that it no longer runs (*running* are customers); how many.

        The conversation documents hold the rows *inbox* and *outbox* now.
        """
        args = (host, list(running), age_seconds, *_columns(inbox), *_columns(outbox))
        row = await self._call("desk_tidy", *args)
        return int(next(iter(row.values())))

    async def waiting(
        self, *, grace_seconds: float, limit: int = 1000
    ) -> list[tuple[UUID, UUID, str | None]]:
        """Chats that wait for a turn with nobody at work: company, customer, newest id."""
        rows = await self._rows("desk_waiting", grace_seconds, limit)
        return [(row["company_id"], row["customer_id"], row["wa_id"]) for row in rows]

    async def ready(self) -> list[tuple[UUID, Channel]]:
        """Companies and channels with something ready to leave."""
        rows = await self._rows("desk_ready")
        return [(row["company_id"], Channel(row["channel"])) for row in rows]

    async def unremembered(self, *, age_seconds: float, limit: int = 200) -> list[Forgotten]:
        """Ledger rows that no conversation document is known to hold."""
        row = await self._call("desk_unremembered", age_seconds, limit)
        return [_forgotten(raw) for raw in _json(next(iter(row.values())))]

    async def remembered(self, inbox: Sequence[Written], outbox: Sequence[Written]) -> None:
        """The conversation documents hold these rows now.

        A row whose customer has another id since stays unmarked: its line is in a former document.
        """
        await self._call("desk_remembered", *_columns(inbox), *_columns(outbox))

    async def overview(self) -> dict[str, Any]:
        """Companies, backlog and hand-overs, as ``lyrox status`` shows them."""
        row = await self._call("desk_overview")
        return dict(_json(next(iter(row.values()))))

    async def wanted(self, host: UUID) -> list[Wanted]:
        """Companies that should have a session, as *host* sees them."""
        rows = await self._rows("desk_wanted", host)
        return [Wanted(row["id"], row["last_connected"], row["elsewhere"]) for row in rows]

    async def record_session(
        self,
        company_id: UUID,
        host: UUID,
        *,
        connected: bool,
        phone: str | None,
        data: Mapping[str, object],
    ) -> bool:
        """Keep what *host* knows of a company's WhatsApp; False while another host holds it."""
        args = (company_id, host, connected, phone, _dump(data))
        row = await self._call("desk_record_session", *args)
        return bool(next(iter(row.values())))

    async def claim_number(
        self, company_id: UUID, phone: str, *, without: Sequence[str]
    ) -> str | None:
        """Make a number the company's: None, or the device that has it, "" if unknown.

        *without* are the reasons of companies that have no device any more.
        """
        row = await self._call("desk_claim_number", company_id, phone, list(without))
        device: str | None = next(iter(row.values()))
        return device


def ai_document(ai: AiMetadata) -> dict[str, object]:
    """The document's ``aiMetadata`` with its own field names; unknown fields are left out."""
    names = {"tokens_used": "tokensUsed", "response_time": "responseTime"}
    return {names.get(key, key): value for key, value in asdict(ai).items() if value is not None}


def ai_metadata(document: Mapping[str, Any] | None) -> AiMetadata | None:
    """The way back from `ai_document`."""
    if document is None:
        return None
    return AiMetadata(
        model=document["model"],
        tokens_used=document["tokensUsed"],
        response_time=document["responseTime"],
        intent=document.get("intent"),
        sentiment=document.get("sentiment"),
        confidence=document.get("confidence"),
    )


def _columns(rows: Sequence[Written]) -> tuple[list[int], list[UUID]]:
    return [row for row, _ in rows], [customer for _, customer in rows]


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _dump(value: object) -> str | None:
    return None if value is None else json.dumps(value)


def _line(raw: Mapping[str, Any]) -> Line:
    return Line(raw["id"], datetime.fromisoformat(raw["at"]), Sender(raw["sender"]), raw["text"])


def _waiting(raw: Mapping[str, Any]) -> Line:
    line = _line({**raw, "sender": "customer"})
    return line if raw["quote"] is None else replace(line, quote=quote_of(raw["quote"]))


def _sender(message: InboundMessage, row: Mapping[str, Any]) -> CustomerRef:
    stage = Stage(row["stage"] or "lead")
    phone = row.get("phone") or message.phone
    return CustomerRef(row["customer_id"], phone, row["customer_name"], stage)


def _turn(data: Mapping[str, Any]) -> Turn:
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
        customer=_customer(customer),
        channel=Channel(turn["channel"]),
        chat=turn["chat"],
        messages=tuple(_waiting(raw) for raw in messages),
        kinds=tuple(Kind(raw["kind"]) for raw in messages),
        superseded=turn["superseded"],
        manner=manner_of(data["manner"]),
    )


def _customer(raw: Mapping[str, Any]) -> CustomerRef:
    return CustomerRef(
        UUID(raw["id"]),
        raw["phone"],
        raw["name"],
        Stage(raw["stage"] or "lead"),
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


def _part(company_id: UUID, raw: Mapping[str, Any]) -> Part:
    return Part(
        id=raw["id"],
        company_id=company_id,
        customer=_customer({**raw, "id": raw["customer_id"]}),
        kind=raw["kind"],
        chat=raw["chat"],
        text=raw["content"],
        ai=ai_metadata(raw["ai_metadata"]),
        picture=raw["picture"],
        manner=manner_of(raw["manner"]),
        quote=Quote(**raw["quote"]) if raw["quote"] else None,
    )


def _forgotten(raw: Mapping[str, Any]) -> Forgotten:
    at = datetime.fromisoformat(raw["at"])
    line = Line(
        raw["line"],
        at,
        Sender(raw["sender"]),
        raw["text"],
        ai_metadata(raw["ai"]),
        amends=raw.get("amends"),
    )
    customer = _customer({**raw, "id": raw["customer_id"]})
    company_id = UUID(raw["company_id"])
    return Forgotten(raw["ledger"], raw["id"], company_id, customer, line, late=True)
