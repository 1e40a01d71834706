"""Looks every second what there is to judge, to tell and to deliver."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from bot.alerts.amiss import Amiss
from bot.alerts.dispatch import Dispatcher
from bot.alerts.model_watch import ModelWatch
from bot.alerts.watch import Watch
from bot.background import Background
from models.alerts import AlertDesk
from models.errors import GiveUp, RetryLater

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
PRUNE_EVERY = timedelta(hours=1)


class AlertLoop:
    """One in each daemon; what several of them do at once happens once.

    A defect in here must not end the daemon, so each look is a task of its own.
    """

    def __init__(
        self,
        desk: AlertDesk,
        watch: Watch,
        dispatcher: Dispatcher,
        models: ModelWatch,
        background: Background,
        *,
        targets: Callable[[], Iterable[str]],
        now: Callable[[], datetime],
    ) -> None:
        self._desk = desk
        self._watch = watch
        self._dispatcher = dispatcher
        self._models = models
        self._background = background
        self._targets = targets
        self._amiss: list[Amiss] = []
        self._now = now
        self._looking = False
        self._prune_at = now()

    def watch(self, amiss: Amiss) -> None:
        """Note what is seen there from now on."""
        self._amiss.append(amiss)

    async def run(self, stamp: Callable[[], None] = lambda: None) -> None:
        """Look for ever, with a *stamp* each round."""
        while True:
            stamp()
            if not self._looking:
                self._background.start(self.look(), name="alerts")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """One look; what PostgreSQL cannot answer now is left to the next."""
        self._looking = True
        try:
            await self._look(self._now())
        except (RetryLater, GiveUp) as error:
            log.warning("alerts wait for PostgreSQL", extra={"why": str(error)})
        finally:
            self._looking = False

    async def _look(self, now: datetime) -> None:
        await self._models.tell(self._desk, self._targets(), now)
        for amiss in self._amiss:
            await amiss.tell(self._desk, now)
        seen = await self._desk.look(now)
        if seen.news:
            await self._watch.round(now)
            seen = await self._desk.look(now)
        self._dispatcher.begin(seen.queues)
        if now >= self._prune_at:
            self._prune_at = now + PRUNE_EVERY
            await self._desk.prune(now)
