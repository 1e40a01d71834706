"""The ledger's verbs that look across companies: the sweeper's and the hosts'."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models.ai_metadata import ai_metadata
from models.ledger_rows import customer_of, dumped, parsed
from models.values import Channel, CustomerRef, Line, Sender

Call = Callable[..., Awaitable[Mapping[str, Any]]]

Written = tuple[int, UUID]
"""A ledger row whose line is in a conversation document, and that document's customer."""


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
    """A company that should have a session; *elsewhere*: another living host holds it.

    Or one that should not (not *wanted*), and whose last state does not say that it is stopped.
    """

    company_id: UUID
    last_connected: datetime | None
    elsewhere: bool
    wanted: bool = True
    typing_aware: bool = False


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
        beats = {UUID(key): int(value) for key, value in parsed(row["beats"]).items()}
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

    async def rung_out(self, *, seconds: float) -> int:
        """Calls that rang so long ago were missed, if nobody said otherwise; how many."""
        row = await self._call("desk_rung_out", seconds)
        return int(next(iter(row.values())))

    async def take_up(self, *, seconds: float) -> int:
        """What paused chats left unanswered waits again, if it is so young; how many messages."""
        row = await self._call("desk_take_up", seconds)
        return int(next(iter(row.values())))

    async def waiting(
        self, host: UUID, *, grace_seconds: float, limit: int = 1000
    ) -> list[tuple[UUID, UUID, str | None]]:
        """Chats that wait for a turn with nobody at work: company, customer, newest id.

        None of a company whose session is held by another living host than *host*.
        """
        rows = await self._rows("desk_waiting", host, grace_seconds, limit)
        return [(row["company_id"], row["customer_id"], row["wa_id"]) for row in rows]

    async def ready(self) -> list[tuple[UUID, Channel]]:
        """Companies and channels with something ready to leave."""
        rows = await self._rows("desk_ready")
        return [(row["company_id"], Channel(row["channel"])) for row in rows]

    async def unremembered(self, *, age_seconds: float, limit: int = 200) -> list[Forgotten]:
        """Ledger rows that no conversation document is known to hold."""
        row = await self._call("desk_unremembered", age_seconds, limit)
        return [_forgotten(raw) for raw in parsed(next(iter(row.values())))]

    async def remembered(self, inbox: Sequence[Written], outbox: Sequence[Written]) -> None:
        """The conversation documents hold these rows now.

        A row whose customer has another id since stays unmarked: its line is in a former document.
        """
        await self._call("desk_remembered", *_columns(inbox), *_columns(outbox))

    async def overview(self) -> dict[str, Any]:
        """Companies, backlog and hand-overs, as ``lyrox status`` shows them."""
        row = await self._call("desk_overview")
        return dict(parsed(next(iter(row.values()))))

    async def workers(self) -> list[dict[str, Any]]:
        """Living workers: ``name``, ``number``, ``turns`` at work, ``seconds`` of their life."""
        row = await self._call("desk_workers")
        return list(parsed(next(iter(row.values()))))

    async def wanted(self, host: UUID) -> list[Wanted]:
        """Companies that should have a session or be said to be stopped, as *host* sees them."""
        rows = await self._rows("desk_wanted", host)
        names = ("id", "last_connected", "elsewhere", "wanted", "typing_aware")
        return [Wanted(*(row[name] for name in names)) for row in rows]

    async def held(self, host: UUID) -> dict[UUID, int]:
        """The companies whose sessions *host* owns, with the fence of each."""
        row = await self._call("desk_held", host)
        held = parsed(next(iter(row.values())))
        return {UUID(company): int(fence) for company, fence in held.items()}

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
        args = (company_id, host, connected, phone, dumped(data))
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


def _columns(rows: Sequence[Written]) -> tuple[list[int], list[UUID]]:
    return [row for row, _ in rows], [customer for _, customer in rows]


def _forgotten(raw: Mapping[str, Any]) -> Forgotten:
    at = datetime.fromisoformat(raw["at"])
    line = Line(
        raw["line"],
        at,
        Sender(raw["sender"]),
        raw["text"],
        ai_metadata(raw["ai"]),
        amends=raw.get("amends"),
        before=tuple(raw.get("before") or ()),
    )
    customer = customer_of({**raw, "id": raw["customer_id"]})
    company_id = UUID(raw["company_id"])
    return Forgotten(raw["ledger"], raw["id"], company_id, customer, line, late=True)
