"""What only this process knows is told to the ledger until it has heard."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from models.errors import RetryLater

log = logging.getLogger(__name__)

T = TypeVar("T")

PAUSE_SECONDS = 0.5


async def insist(write: Callable[[], Awaitable[T]], what: str, *, going: Callable[[], bool]) -> T:
    """What *write* returns, once PostgreSQL answers; it must be harmless when it is repeated.

    Raises RetryLater when *going* no longer holds. *what* names it in the log.
    """
    while True:
        try:
            return await write()
        except RetryLater as error:
            if not going():
                raise
            log.warning("%s is not recorded yet", what, extra={"why": str(error)})
            await asyncio.sleep(PAUSE_SECONDS)


def for_seconds(seconds: float) -> Callable[[], bool]:
    """*going* for so long from now on."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    return lambda: loop.time() < until
