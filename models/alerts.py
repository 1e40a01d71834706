"""The verbs of alerts and events that are one SQL function, one round trip, each."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

Call = Callable[..., Awaitable[Mapping[str, Any]]]


class Outlet(StrEnum):
    """The ways by which alerts and events leave; EVENTS is for integrators, the rest for owners."""

    WEBHOOK = "webhook"
    EMAIL = "email"
    WHATSAPP = "whatsapp"
    EVENTS = "events"


Queue = tuple[UUID, Outlet]
"""A company's deliveries by one outlet; they leave in order."""


@dataclass(frozen=True, slots=True)
class Look:
    """Whether there is something to judge or to tell, and which queues have a due delivery."""

    news: bool
    queues: tuple[Queue, ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """One delivery at one try; *over*: the incident it tells of has ended since."""

    id: int
    company_id: UUID
    event_id: UUID
    outlet: Outlet
    type: str
    payload: Mapping[str, Any]
    attempt: int
    created_at: datetime
    over: bool


@dataclass(frozen=True, slots=True)
class Retried:
    """Dead letters that are on their way again, and alerts left out because they are over."""

    again: int
    over: int


class AlertDesk:
    """What the watch and the dispatcher ask of PostgreSQL. *now* is theirs, so tests can move it.

    Every method may raise RetryLater.
    """

    def __init__(self, call: Call) -> None:
        self._call = call

    async def look(self, now: datetime) -> Look:
        """Make deliveries of new events, and see what there is to do."""
        seen = await self._value("desk_watch", now)
        queues = tuple((UUID(company), Outlet(outlet)) for company, outlet in seen["queues"])
        return Look(seen["news"], queues)

    async def next(self, queue: Queue, now: datetime, *, hold_seconds: float) -> Letter | None:
        """Take the oldest delivery of a queue, if it is due; others wait *hold_seconds* for it."""
        company_id, outlet = queue
        row = await self._value("road_next_delivery", company_id, outlet.value, now, hold_seconds)
        return row and _letter(row)

    async def end(
        self,
        letter: Letter,
        state: str,
        now: datetime,
        *,
        reason: str | None = None,
        next_try_at: datetime | None = None,
    ) -> bool:
        """Record how a try ended: delivered, dead, dropped, or waiting until *next_try_at*.

        False when the delivery has been taken up again by somebody else.
        """
        args = (letter.company_id, letter.id, letter.attempt, state, reason, next_try_at, now)
        return bool(await self._value("road_end_delivery", *args))

    async def note(
        self, company_id: UUID, kind: str, data: Mapping[str, object], now: datetime
    ) -> None:
        """Note an event that no row of a company's shows."""
        await self._call("road_note", company_id, kind, json.dumps(data), now)

    async def note_all(self, kind: str, data: Mapping[str, object], now: datetime) -> None:
        """Note an event that concerns every active company."""
        await self._call("desk_note_all", kind, json.dumps(data), now)

    async def overview(self) -> dict[str, Any]:
        """Open incidents, waiting deliveries and dead letters, as ``lyrox status`` shows them."""
        return dict(await self._value("desk_alerts_overview"))

    async def retry(self, company_id: UUID | None, now: datetime) -> Retried:
        """Try the dead letters of a company, or of all, for another day."""
        row = await self._call("desk_retry", company_id, now)
        return Retried(row["again"], row["over"])

    async def prune(self, now: datetime) -> None:
        """Forget what nobody asks for any more."""
        await self._call("desk_prune", now)

    async def _value(self, function: str, *args: object) -> Any:
        value = next(iter((await self._call(function, *args)).values()))
        return json.loads(value) if isinstance(value, str) else value


def _letter(row: Mapping[str, Any]) -> Letter:
    return Letter(
        id=row["id"],
        company_id=UUID(row["company_id"]),
        event_id=UUID(row["event_id"]),
        outlet=Outlet(row["channel"]),
        type=row["type"],
        payload=row["payload"],
        attempt=row["attempts"],
        created_at=datetime.fromisoformat(row["created_at"]),
        over=row["over"],
    )
