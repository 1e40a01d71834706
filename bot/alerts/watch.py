"""Turns events into incidents, and incidents into alerts on their way."""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID, uuid4

from bot.alerts.composing import AGAIN, BEGUN, ENDED, language_of, zone_of
from bot.alerts.judging import SILENT_LAPSES, Begin, Move, judge
from bot.alerts.kinds import LINE_DOWN, REMIND, TRAITS, Kind
from bot.alerts.quiet import after_quiet
from bot.alerts.routes import routes
from bot.alerts.words import WORDS
from bot.config import Settings
from bot.metrics import Metrics
from models import incidents
from models.alert_settings import Addressee, addressees
from models.alerts import Outlet
from models.deliveries import Delivery
from models.events import Event
from models.incidents import Incident
from models.tenancy import advisory_lock, system_scope

log = logging.getLogger(__name__)

AT_ONCE = 500
KINDS = frozenset(kind.value for kind in Kind)


class Watch:
    """Each round is one transaction under a lock: it happens whole, and in one process."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics

    async def round(self, now: datetime) -> None:
        """Judge what happened, end what is over, and tell what is due. Raises RetryLater."""
        async with system_scope():
            await advisory_lock("lyrox alerts")
            for event in (
                await Event.everywhere().filter(judged=False).order_by("id").limit(AT_ONCE)
            ):
                await self._judge(event)
            await incidents.end_expired(now, untold=SILENT_LAPSES)
            await self._tell(await _due(now), now)

    async def _judge(self, event: Event) -> None:
        company_id: UUID = event.company_id  # type: ignore[attr-defined]
        open_now = await Incident.of(company_id).filter(ended_at=None, subject="")
        kinds = [Kind(each.kind) for each in open_now if each.kind in KINDS]
        for move in judge(event.kind, event.subject, event.data, event.at, kinds):
            await _apply(company_id, move, event.at)
        event.judged = True
        await event.save(update_fields=["judged"])

    async def _tell(self, due: Iterable[Incident], now: datetime) -> None:
        due = list(due)
        companies = await addressees({_company(each) for each in due})
        for incident in due:
            await self._tell_one(incident, companies[_company(incident)], now)

    async def _tell_one(self, incident: Incident, company: Addressee, now: datetime) -> None:
        type_ = _type(incident)
        if not company.active or not self._has_words(incident, company, type_):
            incident.tell_at = None
        elif (later := self._when(incident, company, type_, now)) > now:
            incident.tell_at = later
        else:
            await self._send(incident, company, type_, now)
            incident.told_at = now
            incident.tell_at = None if type_ == ENDED else now + REMIND
        await incident.save(update_fields=["tell_at", "told_at"])

    def _has_words(self, incident: Incident, company: Addressee, type_: str) -> bool:
        if incident.kind not in KINDS:
            return False
        words = WORDS[Kind(incident.kind), language_of(company, self._settings)]
        return bool(words.over) or type_ != ENDED

    def _when(self, incident: Incident, company: Addressee, type_: str, now: datetime) -> datetime:
        if TRAITS[Kind(incident.kind)].urgent and type_ == BEGUN:
            return now
        return after_quiet(now, self._settings.alerts.quiet_hours, zone_of(company, self._settings))

    async def _send(
        self, incident: Incident, company: Addressee, type_: str, now: datetime
    ) -> None:
        ways = self._ways(incident, company)
        told = {"company": company.slug, "kind": incident.kind, "by": [way.value for way in ways]}
        log.warning(
            "alert" if ways else "an alert that no channel takes", extra={"type": type_, **told}
        )
        self._metrics.alert(incident.kind, type_)
        event_id = uuid4()
        for outlet in ways:
            await Delivery.create(
                company_id=company.company_id,
                event_id=event_id,
                channel=outlet.value,
                type=type_,
                source=f"{type_}-{incident.id}-{int(now.timestamp() * 1000)}",
                payload=_payload(incident, now),
                next_try_at=now,
                created_at=now,
            )

    def _ways(self, incident: Incident, company: Addressee) -> list[Outlet]:
        """WhatsApp cannot carry that it is away."""
        known = routes(company, self._settings)
        barred = {Outlet.EVENTS} | ({Outlet.WHATSAPP} if incident.kind in LINE_DOWN else set())
        return [outlet for outlet in known if outlet not in barred]


async def _apply(company_id: UUID, move: Move, at: datetime) -> None:
    if isinstance(move, Begin):
        await incidents.begin(
            company_id,
            move.kind.value,
            move.subject,
            facts=move.facts,
            at=at,
            tell_at=move.tell_at,
            ends_at=move.ends_at,
        )
    else:
        await incidents.end(company_id, move.kind.value, move.subject, at=at, told=move.told)


async def _due(now: datetime) -> list[Incident]:
    return await Incident.everywhere().filter(tell_at__lte=now).order_by("tell_at").limit(AT_ONCE)


def _type(incident: Incident) -> str:
    if incident.ended_at is not None:
        return ENDED
    return BEGUN if incident.told_at is None else AGAIN


def _payload(incident: Incident, now: datetime) -> dict[str, object]:
    facts: Mapping[str, object] = incident.facts
    return {
        "incident": str(incident.id),
        "kind": incident.kind,
        "subject": incident.subject,
        "facts": dict(facts),
        "began": incident.began_at.isoformat(),
        "ended": incident.ended_at and incident.ended_at.isoformat(),
        "at": now.isoformat(),
    }


def _company(incident: Incident) -> UUID:
    company_id: UUID = incident.company_id  # type: ignore[attr-defined]
    return company_id
