"""What all companies that are hosted here share, and the way in of each one's messages."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol
from uuid import UUID

from bot.config import WhatsApp
from bot.whatsapp.arrivals import Accept, Arrivals
from bot.whatsapp.callbacks import Observer
from bot.whatsapp.events import Horizon, MessageReader
from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.journal import Journal
from bot.whatsapp.library import Protos
from bot.whatsapp.patience import Patience, Starts
from bot.whatsapp.reach import backoff
from bot.whatsapp.session_parts import Connection
from bot.whatsapp.settlement import SessionBooks
from bot.whatsapp.states import Reason, State
from bot.whatsapp.suspects import Suspects
from bot.wire import Wire

_LONGEST_PAUSE = 1.0
"""Messages move on that soon after PostgreSQL is back."""


@dataclass(frozen=True, slots=True)
class WantedCompany:
    """A company whose session should run, if its phone is paired.

    *elsewhere*: another living host holds it. Not *wanted*: it should not run, but its last state
    does not say so. *typing_aware*: its customers are waited for while they are typing.
    """

    id: UUID
    last_connected: datetime | None = None
    elsewhere: bool = False
    wanted: bool = True
    typing_aware: bool = False


class Leases(Protocol):
    """Who owns which session among all hosts. Every method may raise RetryLater/Unavailable."""

    async def wanted(self) -> list[WantedCompany]:
        """Active companies whose owner is active, and others not known to be stopped."""

    async def take(self, company_id: UUID) -> int | None:
        """Become the owner: the new fence, or None while a living host owns it."""

    async def holds(self, company_id: UUID, fence: int) -> bool:
        """Whether that ownership still stands."""

    async def release(self, company_id: UUID, fence: int) -> None:
        """Give it up, if it is still ours."""

    async def claim_number(self, company_id: UUID, phone: str) -> str | None:
        """Make *phone* this company's: None, or the device that has it, "" if unknown.

        A number whose company has no device any more, or is not active, changes hands.
        """


class Delivery(Protocol):
    """Who sends through the wires."""

    async def attach(self, wire: Wire, fence: int) -> None:
        """Use this wire; returns once every earlier unseen send of the company is settled."""

    async def detach(self, company_id: UUID) -> None:
        """Use it no more; returns when nothing is about to be sent through it."""


class Connect(Protocol):
    """Makes a connection; *typing*: it hears who is typing."""

    def __call__(
        self, company_id: UUID, session: Path, observer: Observer, /, *, typing: bool = False
    ) -> Connection: ...


@dataclass(frozen=True)
class Host:
    """What all hosted companies share."""

    settings: WhatsApp
    protos: Protos
    connect: Connect
    unreachable: Callable[[], Awaitable[str | None]]
    books: SessionBooks
    leases: Leases
    delivery: Delivery
    accept: Accept
    on_state: Callable[[UUID, State], None]
    now: Callable[[], datetime]
    look_seconds: float
    patience: Patience
    journals: dict[UUID, Journal]
    starts: Callable[[UUID], Starts]
    suspects: Suspects
    on_restart: Callable[[Reason], None]
    on_phone: Callable[[UUID], None]
    private_networks: Sequence[str] = ()


def journal_of(host: Host, files: CompanyFiles) -> Journal:
    """What WhatsApp delivered of one company and intake has not got yet."""
    return Journal(files.journal, most_bytes=host.settings.journal_megabytes * 2**20)


def arrivals_of(host: Host, files: CompanyFiles, journal: Journal) -> Arrivals:
    """The way in of one company's messages."""
    note = files.read_note()
    horizon = Horizon(
        paired_at=note.paired_at if note else None,
        max_age=timedelta(hours=host.settings.max_age_hours),
    )
    return Arrivals(
        journal,
        MessageReader(files.company_id, host.protos, horizon),
        accept=host.accept,
        now=host.now,
        patience=pause_before,
    )


def pause_before(attempt: int) -> float:
    """Seconds until a store that was away is given a message again; *attempt* from 0."""
    return backoff(attempt, first=0.5, longest=_LONGEST_PAUSE)
