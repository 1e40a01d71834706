"""Where sessions learn whom to host, and where their states become visible to others."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from uuid import UUID

from bot.delivery import Delivery
from bot.metrics import Metrics
from bot.recycle import CAUSES, Recycling
from bot.session_keys import WhatsAppState, WhatsAppStates
from bot.wakes import Wakes
from bot.whatsapp.aside import set_aside_in
from bot.whatsapp.files import Pairing
from bot.whatsapp.patience import RETRIED
from bot.whatsapp.sessions import Sessions, WantedCompany
from bot.whatsapp.states import MEANINGS, Phase, State, WayOut
from bot.wire import Wire
from models.desk import Desk
from models.errors import RetryLater
from models.gathering import Gathering
from models.ledger import Ledger

log = logging.getLogger(__name__)

_WITHOUT_DEVICE = tuple(
    reason.value for reason, each in MEANINGS.items() if each.way_out is WayOut.OWNER_PAIRS
)

REWRITE_SECONDS = 5.0
"""How soon ``whatsapp_state:{companyId}`` is back after Redis was flushed."""


def watch_aside(metrics: Metrics, state_dir: Path) -> None:
    """What waits for somebody to act."""
    metrics.watch("set_aside_events", lambda: sum(set_aside_in(state_dir).values()))


class LeaseDesk:
    """The leases of this host, in PostgreSQL."""

    def __init__(self, ledger: Ledger, desk: Desk, host: UUID) -> None:
        self._ledger = ledger
        self._desk = desk
        self._host = host
        self._together = Gathering(self._all_hold)

    async def wanted(self) -> list[WantedCompany]:
        """Active companies whose owner is active, and others not known to be stopped."""
        return [
            WantedCompany(
                one.company_id, one.last_connected, one.elsewhere, one.wanted, one.typing_aware
            )
            for one in await self._desk.wanted(self._host)
        ]

    async def take(self, company_id: UUID) -> int | None:
        """Become the owner: the new fence, or None while a living host owns it."""
        return await self._ledger.lease(company_id, self._host)

    async def holds(self, company_id: UUID, fence: int) -> bool:
        """Whether that ownership still stands; who asks in the same moment shares one look."""
        return await self._together.ask((company_id, fence))

    async def _all_hold(self, asked: Sequence[tuple[UUID, int]]) -> list[bool | Exception]:
        held = await self._desk.held(self._host)
        return [held.get(company_id) == fence for company_id, fence in asked]

    async def release(self, company_id: UUID, fence: int) -> None:
        """Give it up, if it is still ours."""
        await self._ledger.release(company_id, self._host, fence)

    async def claim_number(self, company_id: UUID, phone: str) -> str | None:
        """Make *phone* the company's: None, or the device that has it, "" if unknown."""
        return await self._desk.claim_number(company_id, phone, without=_WITHOUT_DEVICE)


class HeardDelivery:
    """Delivery that is also told by other hosts when one of its companies has a reply ready."""

    def __init__(self, delivery: Delivery, wakes: Wakes) -> None:
        self._delivery = delivery
        self._wakes = wakes

    async def attach(self, wire: Wire, fence: int) -> None:
        """Deliver through *wire* from now on."""
        await self._wakes.follow(wire.company_id)
        await self._delivery.attach(wire, fence)

    async def detach(self, company_id: UUID) -> None:
        """Deliver there no more."""
        await self._wakes.unfollow(company_id)
        await self._delivery.detach(company_id)


class PublicStates:
    """Writes each company's state to its row, to Redis and to the metrics.

    Only the present holder of a company speaks for it; *host* is this one. *on_connected* hears
    of each company whose messages can leave from now on.
    """

    def __init__(
        self,
        desk: Desk,
        states: WhatsAppStates,
        metrics: Metrics,
        *,
        host: UUID,
        on_connected: Callable[[UUID], None],
    ) -> None:
        self._on_connected = on_connected
        self._host = host
        self._desk = desk
        self._states = states
        self._metrics = metrics
        self._known: dict[UUID, State] = {}

    async def record_state(self, company_id: UUID, state: State, pairing: Pairing | None) -> None:
        """Record the newest state; PostgreSQL first, Redis is only a hint."""
        self._known[company_id] = state
        self._metrics.sessions(_count(self._known))
        if state.phase is Phase.CONNECTED:
            self._on_connected(company_id)
        data = _words(state) | (pairing.as_json() if pairing else {})
        ours = await self._desk.record_session(
            company_id,
            self._host,
            connected=state.phase is Phase.CONNECTED,
            phone=pairing.phone if pairing else None,
            data=data,
        )
        if ours:
            await self._publish(company_id, state)
        else:
            self.forget(company_id)

    def forget(self, company_id: UUID) -> None:
        """Another host speaks for the company from now on."""
        if self._known.pop(company_id, None):
            self._metrics.sessions(_count(self._known))

    async def keep_visible(self) -> None:
        """Write all states again and again, so that a flushed Redis shows them soon."""
        while True:
            await asyncio.sleep(REWRITE_SECONDS)
            with suppress(RetryLater):  # Without PostgreSQL nobody knows who may speak.
                await self.rewrite()

    async def rewrite(self) -> None:
        """Write once more what this host may say. Raises RetryLater."""
        for one in await self._desk.wanted(self._host):
            if one.elsewhere:
                self.forget(one.company_id)
        for company_id, state in list(self._known.items()):
            await self._publish(company_id, state)

    async def _publish(self, company_id: UUID, state: State) -> None:
        try:
            await self._states.set(company_id, WhatsAppState(state.phase.value))
        except RetryLater as error:
            log.debug("a state is not in Redis yet", extra={"why": str(error)})


def watch_sessions(metrics: Metrics, sessions: Sessions, recycling: Recycling) -> None:
    """What waits on the disk, and what was begun again: sessions, and this process itself."""
    metrics.watch("journal_entries", sessions.unstored)
    for reason in RETRIED:
        metrics.watch("session_restarts", partial(sessions.restarts, reason), reason=reason.value)
    for cause in CAUSES:
        metrics.watch("recycles", partial(recycling.count, cause), cause=cause)


def _words(state: State) -> dict[str, str]:
    """The state as ``companies.whatsapp_session_data`` keeps it, for whoever speaks of it."""
    until = {"until": state.until.isoformat()} if state.until else {}
    return {"reason": state.reason.value, "detail": state.detail, **until}


def _count(states: Mapping[UUID, State]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for state in states.values():
        counts[state.reason.value] = counts.get(state.reason.value, 0) + 1
    return counts
