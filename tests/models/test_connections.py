"""Connections that stay open between calls."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import asyncpg
import pytest

from models.connections import Connections
from models.database_url import credentials

OpenFor = Callable[..., AbstractAsyncContextManager[Connections]]


@pytest.fixture
def two(database: str) -> OpenFor:
    """Opens at most two connections to a test's own database."""

    @asynccontextmanager
    async def opened(**options: float) -> AsyncIterator[Connections]:
        connections = Connections(credentials(database), 2, **options)
        try:
            yield connections
        finally:
            await connections.close()

    return opened


async def test_one_call_after_another_has_the_same_connection(two: OpenFor) -> None:
    async with two() as connections:
        both = await asyncio.gather(_server(connections), _server(connections))
        after = [await _server(connections) for _ in range(3)]

    assert len(set(both)) == 2
    assert len(set(after)) == 1
    assert after[0] in both


async def test_a_call_waits_where_all_are_lent(two: OpenFor) -> None:
    async with two() as connections, AsyncExitStack() as lent:
        first = await lent.enter_async_context(connections.lent())
        async with connections.lent():
            third = asyncio.create_task(_server(connections))
            await asyncio.sleep(0.1)
            assert not third.done()
            pid = await first.fetchval("SELECT pg_backend_pid()")
            await lent.aclose()

            assert await third == pid


async def test_one_that_was_idle_too_long_is_not_used_any_more(two: OpenFor) -> None:
    async with two(idle_seconds=0.0) as connections:
        assert await _server(connections) != await _server(connections)


async def test_one_that_was_ended_is_not_used_any_more(two: OpenFor) -> None:
    async with two() as connections:
        async with connections.lent() as connection:
            ended = await connection.fetchval("SELECT pg_backend_pid()")
            connection.terminate()

        assert await _server(connections) != ended


async def test_a_connection_that_cannot_be_opened_takes_nobodys_turn(database: str) -> None:
    connections = Connections(credentials(database) | {"password": "wrong", "user": "nobody"}, 1)
    async with asyncio.timeout(10):
        for _ in range(2):
            with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
                await _server(connections)


async def test_closing_waits_for_calls_under_way_and_refuses_later_ones(two: OpenFor) -> None:
    async with two() as connections:
        async with connections.lent() as connection:
            closing = asyncio.create_task(connections.close())
            await asyncio.sleep(0.1)
            assert not closing.done()
            assert await connection.fetchval("SELECT 1") == 1
        await closing

        assert connection.is_closed()
        with pytest.raises(asyncpg.InterfaceError, match="closed"):
            await _server(connections)


async def _server(connections: Connections) -> int:
    """Which server process a call meets."""
    async with connections.lent() as connection:
        await connection.fetchval("SELECT pg_sleep(0.05)")
        pid: int = await connection.fetchval("SELECT pg_backend_pid()")
        return pid
