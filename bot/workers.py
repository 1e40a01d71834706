"""Which workers live: a daemon that leaves its turns to them takes them back when none does."""

import asyncio
import logging
from collections.abc import Callable

from models.desk import Desk
from models.errors import RetryLater

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""It comes on top of the time in which a dead worker is found out."""
NONE_LIVES = (
    "No worker runs, though [daemon] turns_here = false says that workers answer: until one does,"
    " this daemon answers itself. Start one with `lyrox worker`."
)


class Workers:
    """What the last look found; nobody, before the first."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.alive = False

    async def run(self, stamp: Callable[[], None] = lambda: None) -> None:
        """Look for ever, with a *stamp* each round; without PostgreSQL all stays as it was."""
        while True:
            stamp()
            try:
                await self.look()
            except RetryLater as error:
                log.debug("workers are not looked for", extra={"why": str(error)})
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Look once, and say what has changed. Raises RetryLater."""
        workers = await self._desk.workers()
        if workers and not self.alive:
            log.info("workers answer", extra={"workers": [one["name"] for one in workers]})
        elif self.alive and not workers:
            log.info("no worker lives any more")
        self.alive = bool(workers)
