"""The Redis door: one blocking pool, bounded waits, and every failure told as RetryLater.

Redis only hints. Nothing here waits longer than `CALL_SECONDS`, and while Redis is away calls
fail at once instead of each paying that wait.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError, NoScriptError, RedisError, ResponseError

from models.errors import RetryLater, StartupRefused, Unavailable
from models.gathering import Gathering

log = logging.getLogger(__name__)

CALL_SECONDS = 2.5
CONNECT_SECONDS = 1.0
REST_SECONDS = 1.0
"""How long a Redis that did not answer is left alone."""

FAILURES = (RedisError, OSError)
"""What a Redis call may raise, for doors whose library speaks to Redis by itself."""

Part = str | bytes | int | float


class Script:
    """A Lua script that is sent once and afterwards named by its hash."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


_Run = tuple[Script, Sequence[str], tuple[Part, ...]]


class Reachability:
    """What this process knows of Redis: one log line when it goes, one when it is back.

    ``failures`` counts the calls that failed, also those refused while it rests.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._rest_until: float | None = None
        self.failures = 0

    @property
    def away(self) -> bool:
        return self._rest_until is not None

    @asynccontextmanager
    async def call(self, *, seconds: float) -> AsyncIterator[None]:
        """Bound a call in time and tell its failure as RetryLater."""
        self._refuse_while_resting()
        try:
            async with asyncio.timeout(seconds):
                yield
        except ResponseError as error:
            # It answers, but refuses: out of memory, read-only, a key of a foreign type.
            self.failures += 1
            raise RetryLater(f"Redis refused the {self._what}: {error}") from error
        except FAILURES as error:
            raise self.failed(error) from error
        self.answered()

    def failed(self, error: BaseException) -> RetryLater:
        """Take note of a failure; returns what to raise."""
        self.failures += 1
        why = str(error) or type(error).__name__
        if not self.away:
            log.warning("Redis is away, going on without it", extra=self._context(why))
        self._rest_until = time.monotonic() + REST_SECONDS
        return RetryLater(f"Redis does not answer the {self._what}: {why}", delay=REST_SECONDS)

    def answered(self) -> None:
        """Take note of a success."""
        if self.away:
            log.info("Redis is back", extra=self._context(None))
            self._rest_until = None

    def _refuse_while_resting(self) -> None:
        if self._rest_until is not None and time.monotonic() < self._rest_until:
            self.failures += 1
            raise RetryLater(f"Redis is away: the {self._what} rests", delay=REST_SECONDS)

    def _context(self, why: str | None) -> dict[str, str | None]:
        return {"part": self._what, "why": why}


class RedisStore:
    """The few Redis calls we make; each is one round trip and raises only RetryLater."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._reach = Reachability("store")
        self._together = Gathering(self._run_all)

    @property
    def away(self) -> bool:
        """The last call found no Redis."""
        return self._reach.away

    @property
    def failures(self) -> int:
        """How many calls failed since the start, for the metrics."""
        return self._reach.failures

    async def run(self, script: Script, keys: Sequence[str], *args: Part) -> Any:
        """Run a script; its source travels only if this server has not seen it yet."""
        async with self._reach.call(seconds=CALL_SECONDS):
            try:
                return await self._client.evalsha(script.sha, len(keys), *keys, *args)
            except NoScriptError:
                return await self._client.eval(script.source, len(keys), *keys, *args)

    async def run_together(self, script: Script, keys: Sequence[str], *args: Part) -> Any:
        """`run`, in one round trip with others that are asked for in the same moment."""
        return await self._together.ask((script, keys, args))

    async def _run_all(self, asked: Sequence[_Run]) -> Sequence[Any]:
        if len(asked) == 1:
            script, keys, args = asked[0]
            return [await self.run(script, keys, *args)]
        async with (
            self._reach.call(seconds=CALL_SECONDS),
            self._client.pipeline(transaction=False) as batch,
        ):
            for script, keys, args in asked:
                batch.evalsha(script.sha, len(keys), *keys, *args)
            answers = await batch.execute(raise_on_error=False)
        return [await self._answer(one, said) for one, said in zip(asked, answers, strict=True)]

    async def _answer(self, asked: _Run, said: object) -> object:
        script, keys, args = asked
        if isinstance(said, NoScriptError):
            return await self.run(script, keys, *args)
        if isinstance(said, RedisError):
            return RetryLater(f"Redis refused the store: {said}")
        return said

    async def pipeline(self, *commands: Sequence[Part]) -> list[Any]:
        """Send several commands in one round trip; they are not one transaction."""
        async with (
            self._reach.call(seconds=CALL_SECONDS),
            self._client.pipeline(transaction=False) as batch,
        ):
            for command in commands:
                batch.execute_command(*command)
            return await batch.execute()

    async def get(self, key: str) -> bytes | None:
        return await self._command("GET", key)  # type: ignore[no-any-return] # GET answers these.

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        if not keys:
            return []
        return list(await self._command("MGET", *keys))

    async def set(self, key: str, value: Part, *, seconds: int | None = None) -> None:
        """Store *value*, for *seconds* or for good."""
        expiry: tuple[Part, ...] = () if seconds is None else ("EX", seconds)
        await self._command("SET", key, value, *expiry)

    async def delete(self, *keys: str) -> None:
        if keys:
            await self._command("DEL", *keys)

    async def wake(self, company_id: UUID, note: bytes = b"") -> None:
        """Tell the host of the company's session that something waits; heard by `Wakes`.

        A *note* says that a turn begins or ends elsewhere (`bot.notes`).
        """
        await self._command("PUBLISH", wake_channel(company_id), note)

    async def ping(self) -> None:
        await self._command("PING")

    def pubsub(self) -> PubSub:
        """A bare subscriber; it takes a connection of its own and raises FAILURES."""
        return self._client.pubsub(ignore_subscribe_messages=True)

    async def _command(self, *parts: Part) -> Any:
        async with self._reach.call(seconds=CALL_SECONDS):
            return await self._client.execute_command(*parts)  # type: ignore[no-untyped-call] # redis-py.


@asynccontextmanager
async def open_redis(url: str, *, connections: int = 20) -> AsyncIterator[RedisStore]:
    """A store on *url*; raises Unavailable when nobody answers there."""
    pool = _pool(url, connections)
    try:
        client = Redis(connection_pool=pool)
        await _greet(client, url)
        yield RedisStore(client)
    finally:
        await pool.disconnect()


def wake_channel(company_id: UUID) -> str:
    return f"wake:{company_id}"


def patient_connection() -> dict[str, Any]:
    """Connection settings for a library that blocks on Redis by itself and must outlive it.

    Without a socket time-out a blocking pop may block; the retries carry it over a restart.
    """
    return {
        "timeout": CONNECT_SECONDS,
        "socket_timeout": None,
        "socket_connect_timeout": CONNECT_SECONDS,
        "retry": Retry(ExponentialWithJitterBackoff(cap=2, base=0.1), 8),
        "retry_on_error": list(_GONE),
    }


def client_on(pool: BlockingConnectionPool) -> Redis:
    """A bare client on another library's pool, which stays that library's to close."""
    return Redis(connection_pool=pool)


def lacks_command(error: Exception) -> bool:
    """Whether *error* says that the server is too old for a command, or that we may not use it."""
    unknown = isinstance(error, ResponseError) and "unknown command" in str(error)
    return unknown or isinstance(error, NoPermissionError)


def backoff_seconds(failures: int) -> float:
    """How long to wait after so many failures in a row: 0.1 s, growing to 2 s, never even."""
    return ExponentialWithJitterBackoff(cap=2, base=0.1).compute(failures)


_GONE = (RedisConnectionError,)


def _pool(url: str, connections: int) -> BlockingConnectionPool:
    try:
        return BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=CONNECT_SECONDS,
            # Each call has a time of its own. With one here redis-py sends under asyncio.wait_for,
            # which in Python 3.11 can swallow a cancel: who is told to stop would go on for ever.
            socket_timeout=None,
            socket_connect_timeout=CONNECT_SECONDS,
            # Never after a time-out: that call may have been done, and the wait is used up.
            retry=Retry(ExponentialWithJitterBackoff(cap=0.2, base=0.05), 2, _GONE),
        )
    except ValueError as error:
        raise StartupRefused(f"[stores] redis, {_place(url)}: {error}") from None


async def _greet(client: Redis, url: str) -> None:
    try:
        async with asyncio.timeout(CALL_SECONDS):
            await client.execute_command("PING")  # type: ignore[no-untyped-call] # redis-py.
    except FAILURES as error:
        why = str(error).rstrip(".") or type(error).__name__
        raise Unavailable(
            f"Redis at {_place(url)} cannot be used: {why}; start it or correct "
            "[stores] redis in the configuration"
        ) from error


def _place(url: str) -> str:
    """*url* without anything secret."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
