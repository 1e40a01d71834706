"""What works in a process all the time, from its start until it is told to stop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from bot import sd_notify

log = logging.getLogger(__name__)

STALLED_SECONDS = 75.0
"""A loop that turned no round in this time stands still; a PostgreSQL call may take 30 s."""
RECEIVER = "doorbell"
"""The loop that begins turns: it ends before the turns at work do."""


class LoopEnded(Exception):
    """A loop that has no business ending has ended."""


async def run_loops(
    loops: Mapping[str, Awaitable[object]],
    stop: asyncio.Event,
    *,
    begun: Callable[[], Awaitable[None]],
    finish: Callable[[], Awaitable[None]],
) -> None:
    """Run them until *stop*; *begun* is awaited once they run, *finish* before they end.

    The end of any of them ends the process; systemd starts it afresh.
    """
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(_forever(loop), name=name) for name, loop in loops.items()}
        await begun()
        await stop.wait()
        log.info("stopping: turns at work are finished first")
        sd_notify.notify("STOPPING=1")
        if receiver := tasks.pop(RECEIVER, None):
            receiver.cancel()
        await finish()
        for task in tasks.values():
            task.cancel()


async def _forever(loop: Awaitable[object]) -> None:
    try:
        await loop
    except* OSError as error:  # Whoever starts may have to wait for a person, never who runs.
        raise LoopEnded from error
    raise LoopEnded
