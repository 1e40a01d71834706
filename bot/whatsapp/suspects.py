"""Companies whose start may end the whole process, because the client's native code aborts.

One cause is known: a login refused with 413 or 414 (`docs/reliability.md`). Nobody can catch it,
but it must not take the other companies along for ever: each start is noted on disk until it has
come through, and a company with several that never did is begun alone, and ever more seldom.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.patience import Patience
from bot.whatsapp.reach import backoff

SUSPICIOUS = 3
"""So many starts in a row ended together with the process; fewer may be a `kill -9`."""


class Start:
    """One start of one company's client."""

    def __init__(self, files: CompanyFiles, turn: asyncio.Lock | None) -> None:
        self._files = files
        self._turn = turn
        self._under_way = True

    def through(self) -> None:
        """The process has survived it, whatever came of it; may be said again."""
        if not self._under_way:
            return
        self._under_way = False
        self._files.forget_starts()
        if self._turn is not None:
            self._turn.release()


class Suspects:
    """Shared by all companies of a host."""

    def __init__(
        self, patience: Patience, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._patience = patience
        self._sleep = sleep
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def start(
        self, files: CompanyFiles, on_suspect: Callable[[int], None]
    ) -> AsyncIterator[Start]:
        """A start begins, and is through when the block ends at the latest.

        *on_suspect* is told how many ended with the process, before such a company waits.
        """
        unfinished = files.unfinished_starts()
        turn = None
        if unfinished >= SUSPICIOUS:
            on_suspect(unfinished)
            await self._sleep(self._pause(unfinished - SUSPICIOUS))
            turn = self._turn
            await turn.acquire()
        start = Start(files, turn)
        try:
            files.note_start(unfinished + 1)
            yield start
        finally:
            start.through()

    def _pause(self, times: int) -> float:
        """Who was seen with it least goes first."""
        return backoff(times, first=self._patience.suspect, longest=self._patience.longest_suspect)
