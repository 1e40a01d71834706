"""PostgreSQL connections that stay open between calls, each for one call at a time."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg

IDLE_SECONDS = 300.0
"""A connection that nobody needed for so long may be dead unseen: asyncpg's pool closes it too."""


class Connections:
    """At most *most* connections, opened when needed; the one used last is used first.

    One that was idle for *idle_seconds* is not used any more.

    asyncpg's pool costs a task and several turns of the event loop for each connection that it
    gets back, and resets it, which calls of one function do not need.
    """

    def __init__(
        self, credentials: Mapping[str, Any], most: int, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self._credentials = credentials
        self._most = most
        self._idle_seconds = idle_seconds
        self._turns = asyncio.Semaphore(most)
        self._idle: list[tuple[asyncpg.Connection, float]] = []
        self._closed = False

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection for this call alone; what asyncpg raises where none can be opened."""
        async with self._turns:
            connection = self._kept() or await asyncpg.connect(**self._credentials)
            try:
                yield connection
            finally:
                self._idle.append((connection, time.monotonic()))

    async def close(self) -> None:
        """Close all when the calls under way have ended; raises InterfaceError to later ones."""
        self._closed = True
        async with AsyncExitStack() as turns:
            for _ in range(self._most):
                await turns.enter_async_context(self._turns)
            while self._idle:
                connection, _ = self._idle.pop()
                await connection.close()

    def _kept(self) -> asyncpg.Connection | None:
        if self._closed:
            raise asyncpg.InterfaceError("the database is closed")
        while self._idle:
            connection, since = self._idle.pop()
            if time.monotonic() - since >= self._idle_seconds:
                connection.terminate()
            elif not connection.is_closed():
                return connection
        return None
