"""Carries what waits: each queue in order, one at a time, with patience for a day."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from bot.alerts.carriers import Carrier, NotDelivered, Parcel
from bot.alerts.composing import ENDED, LinkTo, compose, language_of
from bot.alerts.envelope import envelope
from bot.alerts.routes import Route, routes
from bot.background import Background
from bot.config import Settings
from bot.logs import log_context
from bot.metrics import Metrics
from bot.whatsapp.reach import backoff
from models.alert_settings import Addressee, addressees
from models.alerts import AlertDesk, Letter, Outlet, Queue
from models.errors import RetryLater
from models.tenancy import system_scope
from models.text import cut, one_line

log = logging.getLogger(__name__)

PATIENCE = timedelta(days=1)
"""A delivery that found nobody so long is dead."""
FIRST_WAIT, LONGEST_WAIT = 5.0, 300.0
"""Seconds between tries: doubling from the first, never more than the last."""


class Dispatcher:
    """A queue is worked on by one task of one process; a failure holds its later ones back."""

    def __init__(
        self,
        desk: AlertDesk,
        carriers: Mapping[Outlet, Carrier],
        background: Background,
        settings: Settings,
        metrics: Metrics,
        *,
        link: LinkTo,
        now: Callable[[], datetime],
    ) -> None:
        self._desk = desk
        self._carriers = carriers
        self._background = background
        self._settings = settings
        self._metrics = metrics
        self._link = link
        self._now = now
        self._busy: set[Queue] = set()

    def begin(self, queues: Iterable[Queue]) -> None:
        """Work on these queues, where nobody of this process does and their channel is there."""
        for queue in queues:
            if queue not in self._busy and self._carriers[queue[1]].ready(queue[0]):
                self._busy.add(queue)
                self._background.start(self._work(queue), name="dispatch")

    async def _work(self, queue: Queue) -> None:
        company_id, outlet = queue
        carrier = self._carriers[outlet]
        try:
            with log_context(company=company_id):
                company = await _addressee(company_id)
                going = company is not None
                while going and company and carrier.ready(company_id):
                    going = await self._next(queue, carrier, company)
        except RetryLater as error:
            log.warning("deliveries wait for PostgreSQL", extra={"why": str(error)})
        finally:
            self._busy.discard(queue)

    async def _next(self, queue: Queue, carrier: Carrier, company: Addressee) -> bool:
        """Try the queue's oldest; whether to go on with the one behind it."""
        letter = await self._desk.next(queue, self._now(), hold_seconds=carrier.hold_seconds)
        if letter is None:
            return False
        route = routes(company, self._settings).get(letter.outlet)
        if route is None or self._is_late(letter):
            why = "nobody wants it there any more" if route is None else "it came too late"
            return await self._end(letter, "dropped", why)
        try:
            answer = await carrier.carry(self._parcel(letter, route, company))
        except NotDelivered as error:
            return await self._failed(letter, one_line(str(error), 300))
        return await self._end(letter, "delivered", cut(answer, 300))

    async def _failed(self, letter: Letter, why: str) -> bool:
        now = self._now()
        if now - letter.created_at >= PATIENCE:
            log.error(
                "a delivery is given up after a day; `lyrox status` lists it",
                extra=_named(letter, why),
            )
            return await self._end(letter, "dead", why)
        wait = backoff(letter.attempt - 1, first=FIRST_WAIT, longest=LONGEST_WAIT)
        log.warning("a delivery waits", extra={**_named(letter, why), "seconds": round(wait)})
        self._metrics.delivery(letter.outlet.value, "failed")
        next_try_at = now + timedelta(seconds=wait)
        await self._desk.end(letter, "waiting", now, reason=why, next_try_at=next_try_at)
        return False

    async def _end(self, letter: Letter, state: str, reason: str) -> bool:
        self._metrics.delivery(letter.outlet.value, state)
        return await self._desk.end(letter, state, self._now(), reason=reason)

    def _is_late(self, letter: Letter) -> bool:
        """The own chat may wait long for its session: then old news are not worth a message."""
        over = letter.over and letter.type != ENDED
        old = self._now() - letter.created_at >= PATIENCE
        return letter.outlet is Outlet.WHATSAPP and (over or old)

    def _parcel(self, letter: Letter, route: Route, company: Addressee) -> Parcel:
        return parcel_of(letter, route, company, self._settings, self._link)


def parcel_of(
    letter: Letter, route: Route, company: Addressee, settings: Settings, link: LinkTo
) -> Parcel:
    """A delivery as its carrier takes it."""
    composed = None
    if letter.type.startswith("alert."):
        composed = compose(letter.type, letter.payload, company, settings, link)
    return Parcel(
        event_id=letter.event_id,
        company_id=letter.company_id,
        company=one_line(company.name, 60),
        language=language_of(company, settings),
        route=route,
        body=envelope(letter, company, composed),
        composed=composed,
    )


async def _addressee(company_id: UUID) -> Addressee | None:
    async with system_scope():
        return (await addressees([company_id])).get(company_id)


def _named(letter: Letter, why: str) -> dict[str, object]:
    return {"channel": letter.outlet.value, "type": letter.type, "why": why}
