"""The hint ``wake:{companyId}``: a reply is ready for the host that holds the company's session."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from uuid import UUID

from bot.redis_store import (
    CALL_SECONDS,
    FAILURES,
    Reachability,
    RedisStore,
    backoff_seconds,
    wake_channel,
)


class Wakes:
    """Hears that a company has something to deliver; without it the sweep finds it.

    Iterating yields the companies that were woken among those followed, for ever: after a
    restart of Redis it subscribes again, with back-off. A wake that nobody hears is lost.
    *on_note* gets what comes with words instead (`bot.notes`).
    """

    def __init__(
        self, redis: RedisStore, on_note: Callable[[UUID, bytes], None] = lambda _, __: None
    ) -> None:
        self._on_note = on_note
        self._pubsub = redis.pubsub()
        self._reach = Reachability("subscription")
        self._followed: set[UUID] = set()
        self._connected = False

    @property
    def failures(self) -> int:
        """How often it could not listen since the start, for the metrics."""
        return self._reach.failures

    async def follow(self, company_id: UUID) -> None:
        """Hear the company's wakes from now on."""
        self._followed.add(company_id)
        if self._connected:
            # If this fails the reader fails too, and subscribes to all again.
            with suppress(*FAILURES):
                await self._pubsub.subscribe(wake_channel(company_id))

    async def unfollow(self, company_id: UUID) -> None:
        """Hear them no more."""
        self._followed.discard(company_id)
        if self._connected:
            with suppress(*FAILURES):
                await self._pubsub.unsubscribe(wake_channel(company_id))

    async def __aiter__(self) -> AsyncIterator[UUID]:
        failures = 0
        while True:
            try:
                await self._connect()
                failures = 0
                while True:
                    message = await self._pubsub.get_message(timeout=None)
                    if message is None:
                        continue
                    company = UUID(message["channel"].decode().removeprefix("wake:"))
                    if message["data"]:
                        self._on_note(company, message["data"])
                    else:
                        yield company
            except FAILURES as error:
                self._reach.failed(error)
                failures += 1
            finally:
                self._connected = False
                await self._pubsub.aclose()  # type: ignore[no-untyped-call] # redis-py.
            await asyncio.sleep(backoff_seconds(failures))

    async def _connect(self) -> None:
        async with asyncio.timeout(CALL_SECONDS):
            await self._pubsub.connect()  # type: ignore[no-untyped-call] # redis-py.
            self._connected = True
            if self._followed:
                await self._pubsub.subscribe(*map(wake_channel, self._followed))
        self._reach.answered()
