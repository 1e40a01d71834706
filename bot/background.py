"""Short-lived tasks that somebody owns: references are kept, failures are logged, none outlives."""

import asyncio
import logging
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

log = logging.getLogger(__name__)


class Background:
    """The only place that makes tasks nobody awaits.

    Leaving the context waits *drain_seconds* for what still runs and cancels the rest.
    """

    def __init__(self, *, drain_seconds: float) -> None:
        self._drain_seconds = drain_seconds
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.drain()
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Run *work* soon; an exception that leaves it is logged as a fault of ours."""
        if self._closed:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def drain(self) -> None:
        """Wait for all tasks, those begun meanwhile too, for *drain_seconds* at most."""
        deadline = asyncio.get_running_loop().time() + self._drain_seconds
        while self._tasks and (left := deadline - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(self._tasks, timeout=left)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("background task failed", exc_info=error, extra={"task": task.get_name()})


def end_once(task: asyncio.Task[None]) -> None:
    """Cancel once: a second cancel would cut the clean stop that the first one began."""
    if not task.cancelling():
        task.cancel()


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Await *work* so that no cancel cuts it; a cancel is raised when it is done."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    task.result()
