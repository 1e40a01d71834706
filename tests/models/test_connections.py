"""Connections that stay open between calls."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress

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


async def test_one_that_was_idle_too_long_is_closed_while_another_is_in_use(
    two: OpenFor,
) -> None:
    async with two(idle_seconds=0.3) as connections:
        async with connections.lent(), connections.lent() as old:
            pass  # It comes back first, so the other one is used from now on.
        async with asyncio.timeout(5):
            while not old.is_closed():
                await _server(connections)
                await asyncio.sleep(0.1)


async def test_closing_takes_its_time_and_no_more_whatever_the_server_does() -> None:
    async with _silent_server() as port:
        where = {"host": "127.0.0.1", "port": port, "user": "app", "database": "app", "ssl": False}
        connections = Connections(where, 2)
        async with connections.lent() as one, connections.lent() as other:
            pass
        async with connections.lent() as busy:
            async with asyncio.timeout(5):
                await connections.close(0.2)

            assert busy in {one, other}
            assert (one.is_closed(), other.is_closed()) == (True, True)


@asynccontextmanager
async def _silent_server() -> AsyncIterator[int]:
    """Greets as PostgreSQL does, and never says another word; its port."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = struct.unpack("!I", await reader.readexactly(4))[0]
        await reader.readexactly(length - 4)
        trusted, key = struct.pack("!I", 0), struct.pack("!II", 1, 1)
        greeting = (
            (b"R", trusted),
            (b"S", b"server_version\x0016.0\x00"),
            (b"K", key),
            (b"Z", b"I"),
        )
        for kind, body in greeting:
            writer.write(kind + struct.pack("!I", len(body) + 4) + body)
        with suppress(ConnectionError):
            while await reader.read(1024):
                pass
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _server(connections: Connections) -> int:
    """Which server process a call meets."""
    async with connections.lent() as connection:
        await connection.fetchval("SELECT pg_sleep(0.05)")
        pid: int = await connection.fetchval("SELECT pg_backend_pid()")
        return pid
