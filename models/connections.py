"""PostgreSQL connections that stay open between calls, each for one call at a time."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import asyncpg

IDLE_SECONDS = 300.0
"""A connection that nobody needed for so long may be dead unseen; asyncpg's pool has this limit."""
CLOSE_SECONDS = 5.0
"""So long calls under way may go on at a close, and so long a server may take to say goodbye."""


class Connections:
    """At most *most* connections, opened when needed; the one used last is used first.

    One that was idle for *idle_seconds* is closed. asyncpg's pool costs a task and several turns
    of the event loop for each connection that it gets back, and resets it, which calls of one
    function do not need.
    """

    def __init__(
        self, credentials: Mapping[str, Any], most: int, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self._credentials = credentials
        self._most = most
        self._idle_seconds = idle_seconds
        self._turns = asyncio.Semaphore(most)
        self._idle: deque[tuple[asyncpg.Connection, float]] = deque()  # The longest idle first.
        self._lent: set[asyncpg.Connection] = set()
        self._closed = False

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection for this call alone; what asyncpg raises where none can be opened."""
        async with self._turns:
            connection = self._kept() or await asyncpg.connect(**self._credentials)
            self._lent.add(connection)
            try:
                yield connection
            finally:
                self._lent.discard(connection)
                self._idle.append((connection, time.monotonic()))

    async def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Let the calls under way end, then close all; later calls raise InterfaceError.

        Both take *seconds* at most, whatever the server does.
        """
        self._closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), AsyncExitStack() as turns:
                for _ in range(self._most):
                    await turns.enter_async_context(self._turns)
        for connection in self._lent:
            connection.terminate()
        idle = [connection for connection, _ in self._idle]
        self._idle.clear()
        closing = (connection.close(timeout=seconds) for connection in idle)
        await asyncio.gather(*closing, return_exceptions=True)  # What fails to close is aborted.

    def _kept(self) -> asyncpg.Connection | None:
        if self._closed:
            raise asyncpg.InterfaceError("the database is closed")
        while self._idle and time.monotonic() - self._idle[0][1] >= self._idle_seconds:
            self._idle.popleft()[0].terminate()
        while self._idle:
            connection, _ = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None
