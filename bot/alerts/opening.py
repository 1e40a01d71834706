"""Puts the parts together, for the daemon and for ``lyrox alert test``."""

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from bot.alerts.carriers import Carrier, Webhook
from bot.alerts.composing import LinkTo
from bot.alerts.dispatch import Dispatcher
from bot.alerts.loop import AlertLoop
from bot.alerts.mail import Mail
from bot.alerts.model_watch import ModelWatch
from bot.alerts.own_chat import OwnChats
from bot.alerts.watch import Watch
from bot.background import Background
from bot.config import Settings, secret
from bot.metrics import Metrics
from bot.pairing.links import pairing_link
from bot.web.posting import SECONDS, open_poster
from bot.whatsapp.reasons import Reason
from models.alerts import AlertDesk, Outlet
from models.errors import LyroxError, RetryLater

log = logging.getLogger(__name__)

DRAIN_SECONDS = 5.0
"""How long a stop waits for tries that are under way; what is cut is tried again later."""

_TROUBLE = frozenset({Reason.PASSKEY.value, Reason.OUTDATED.value})

Now = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Alerts:
    """What the daemon drives: the loop, and who is told of wires and of pairings."""

    loop: AlertLoop
    desk: AlertDesk
    own_chats: OwnChats
    _background: Background
    _now: Now

    def pairing_ended(self, company_id: UUID, end: str) -> None:
        """A pairing ended; some ends are trouble that no session will ever meet."""
        if end in _TROUBLE:
            self._background.start(self._note(company_id, end), name="note")

    async def _note(self, company_id: UUID, reason: str) -> None:
        try:
            await self.desk.note(company_id, "session", {"reason": reason}, self._now())
        except RetryLater as error:  # Whoever paired has seen it on the page.
            log.warning("the end of a pairing is not noted", extra={"why": str(error)})


@asynccontextmanager
async def open_alerts(
    settings: Settings,
    desk: AlertDesk,
    metrics: Metrics,
    models: ModelWatch,
    *,
    targets: Callable[[], Iterable[str]],
    link: LinkTo | None = None,
    secrets: Callable[[str], str | None] = secret,
    now: Now = _now,
    post_seconds: float = SECONDS,
) -> AsyncIterator[Alerts]:
    """Everything that tells owners and integrators; leaving it ends the tries under way."""
    own_chats = OwnChats()
    async with AsyncExitStack() as stack:
        carriers = await stack.enter_async_context(
            open_carriers(settings, secrets, now, post_seconds)
        )
        background = await stack.enter_async_context(Background(drain_seconds=DRAIN_SECONDS))
        dispatcher = Dispatcher(
            desk,
            {**carriers, Outlet.WHATSAPP: own_chats},
            background,
            settings,
            metrics,
            link=link or link_maker(settings),
            now=now,
        )
        watch = Watch(settings, metrics)
        loop = AlertLoop(desk, watch, dispatcher, models, background, targets=targets, now=now)
        yield Alerts(loop, desk, own_chats, background, now)


@asynccontextmanager
async def open_carriers(
    settings: Settings,
    secrets: Callable[[str], str | None] = secret,
    now: Now = _now,
    post_seconds: float = SECONDS,
) -> AsyncIterator[Mapping[Outlet, Carrier]]:
    """The channels that need no WhatsApp session."""
    async with open_poster(settings.alerts.private_networks, seconds=post_seconds) as post:
        webhook = Webhook(post, secrets, now)
        mail = Mail(settings.mail, secrets, now)
        yield {Outlet.WEBHOOK: webhook, Outlet.EVENTS: webhook, Outlet.EMAIL: mail}


def link_maker(settings: Settings) -> LinkTo:
    """Links to the pairing page, where ``[web] public_url`` leads to one."""

    def link(company_id: UUID) -> str | None:
        try:
            made = pairing_link(settings, company_id)
        except LyroxError as error:  # The alert itself is more than its link.
            log.warning("an alert goes without its link", extra={"why": str(error)})
            return None
        return made.url if made else None

    return link
