"""The road's verbs: each is one SQL function of ``migrations/``, one round trip."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from models.ai_metadata import ai_document
from models.departures import Departures
from models.details import details as details_of
from models.ledger_rows import (
    Accepted,
    Changed,
    Claim,
    Fate,
    Part,
    dumped,
    line_of,
    parsed,
    part_of,
    sender_of,
    turn_of,
)
from models.values import Channel, InboundMessage, Line, Reply, Turn

Call = Callable[..., Awaitable[Mapping[str, Any]]]


class Ledger:
    """One verb a step; every argument that names a company scopes the whole step to it."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._departures = Departures(call)

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
            pause_seconds, over, dumped(details_of(message)),
        )  # fmt: skip
        customer = sender_of(message, row)
        return Accepted(row["verdict"], row["inbox_id"], customer, row["reason"], row["former"])

    async def change(self, message: InboundMessage) -> Changed:
        """Keep an edit or a revoke, and apply it while nothing has left that answers its target."""
        row = await self._call(
            "road_change", message.company_id, message.wa_id, message.channel.value, message.phone,
            message.lid, message.chat, message.name, message.kind.value, message.text,
            message.sent_at, message.journal_seq, message.target,
        )  # fmt: skip
        applied = row["applied"] or "late"
        return Changed(row["inbox_id"], sender_of(message, row), applied, row["amends"])

    async def call_over(self, company_id: UUID, call: str, *, taken: bool) -> UUID | None:
        """A call that rang has ended; the customer who is to be answered, if it was missed."""
        customer: UUID | None = await self._value("road_call_over", company_id, call, taken)
        return customer

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
        data = parsed(await self._value("road_claim", company_id, customer_id, host))
        if data["outcome"] != "claimed":
            return Claim(data["outcome"], reason=data.get("reason"))
        return Claim("claimed", turn_of(data), tuple(line_of(raw) for raw in data["unremembered"]))

    async def history(self, company_id: UUID, customer_id: UUID, count: int) -> list[Line]:
        """The newest *count* lines of a chat, oldest first, as far back as the ledger goes."""
        rows = parsed(await self._value("road_history", company_id, customer_id, count))
        return [line_of(raw) for raw in rows]

    async def answer(
        self, turn: Turn, reply: Reply, *, host: UUID, details: Mapping[str, object]
    ) -> tuple[str, list[int]]:
        """Record the reply. Outcome: ready with outbox ids, or lost, joined, silent."""
        row = await self._call(
            "road_answer", turn.company.id, turn.id, turn.attempt, host, list(reply.parts),
            reply.handler, dumped(reply.ai and ai_document(reply.ai)),
            reply.stage and reply.stage.value, reply.pause_minutes, reply.pause_reason,
            reply.opt_out, reply.event, dumped(reply.event_data), dumped(details),
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
        rows = parsed(await self._value("road_ready", company_id, channel.value, chat, limit))
        return [part_of(company_id, row) for row in rows]

    async def sending(
        self,
        part: Part,
        *,
        host: UUID,
        fence: int,
        secret: bytes,
        sessions_hash: str | None,
        oldest_seconds: float = 12 * 3600.0,
        asked: Callable[[], object] = lambda: None,
    ) -> str:
        """The last look before a part leaves: go, stopped (taken over, too old) or gone.

        *asked* is called when the question leaves: the answer is no older than that.
        """
        look = (part.id, host, fence, secret, sessions_hash, oldest_seconds)
        return await self._departures.sending(part.company_id, *look, asked=asked)

    async def sent(
        self,
        company_id: UUID,
        outbox_id: int,
        wa_id: str | None,
        *,
        confirmed: bool,
        look_follows: bool = False,
    ) -> bool:
        """Mark a part as sent; True when the customer has written more meanwhile.

        *look_follows*: by the next turn of the event loop the company probably asks `sending`.
        """
        mark = (outbox_id, wa_id, confirmed)
        return await self._departures.sent(company_id, *mark, look_follows=look_follows)

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
        return list(parsed(rows))

    async def fate(self, company_id: UUID, wa_id: str) -> Fate:
        """What became of one message."""
        row = await self._call("road_fate", company_id, wa_id)
        return Fate(row["state"], row["reason"], row["open_parts"] or 0, row["sent_parts"] or 0)

    async def lease(self, company_id: UUID, host: UUID) -> int | None:
        """Take or renew a session lease; its fence, or None while another host lives on it."""
        fence = await self._value("road_lease", company_id, host)
        return None if fence is None else int(fence)

    async def release(self, company_id: UUID, host: UUID, fence: int) -> None:
        """Give a session lease back, if it is still ours."""
        await self._call("road_release", company_id, host, fence)

    async def _value(self, function: str, *args: object) -> Any:
        row = await self._call(function, *args)
        return next(iter(row.values()))
