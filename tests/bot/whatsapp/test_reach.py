import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from bot.whatsapp.connector import NeonizeConnector
from bot.whatsapp.reach import backoff, unreachable


@asynccontextmanager
async def proxy(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard


async def test_a_proxy_that_opens_the_way_is_enough() -> None:
    async with proxy(b"HTTP/1.1 200 OK\r\n\r\n") as (url, heard):
        assert await unreachable({"HTTPS_PROXY": url}) is None

    assert heard[0].startswith(b"CONNECT web.whatsapp.com:443 ")


async def test_a_proxy_that_asks_who_we_are_will_be_told_by_the_client() -> None:
    async with proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as (url, _):
        assert await unreachable({"HTTPS_PROXY": url}) is None


async def test_a_proxy_that_refuses_is_named_with_its_answer() -> None:
    async with proxy(b"HTTP/1.1 403 Forbidden\r\n\r\n") as (url, _):
        why = await unreachable({"https_proxy": url})

    assert why is not None
    assert "127.0.0.1" in why
    assert "403" in why


async def test_a_proxy_that_is_not_there_is_named_without_its_password() -> None:
    why = await unreachable({"HTTPS_PROXY": "http://user:hunter2@127.0.0.1:9"})

    assert why is not None
    assert "127.0.0.1:9" in why
    assert "hunter2" not in why


async def test_silence_is_not_waited_for_without_end() -> None:
    async def never(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.sleep(5)
        finally:
            writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        why = await unreachable({"HTTPS_PROXY": url}, limit=0.1)

    assert why is not None
    assert "did not answer" in why


@pytest.mark.parametrize(
    ("attempt", "least", "most"), [(0, 1.5, 2), (1, 3, 4), (5, 48, 64), (50, 225, 300)]
)
def test_waiting_doubles_to_five_minutes_and_is_never_in_step(
    attempt: int, least: float, most: float
) -> None:
    waits = {backoff(attempt) for _ in range(50)}

    assert all(least <= wait <= most for wait in waits)
    assert len(waits) > 40


async def test_companies_that_start_together_share_a_probe_and_go_one_after_the_other() -> None:
    loop = asyncio.get_running_loop()
    done: list[float] = []

    async def start(connector: NeonizeConnector) -> None:
        assert await connector.unreachable() is None
        done.append(loop.time())

    async with proxy(b"HTTP/1.1 200 OK\r\n\r\n") as (url, heard):
        connector = NeonizeConnector("LYROX", {"HTTPS_PROXY": url})
        await asyncio.gather(*(start(connector) for _ in range(20)))
        connector.close()

    gaps = [after - before for before, after in pairwise(done)]
    assert len(heard) == 1
    assert max(gaps) - min(gaps) > 0.005  # Never in step.
    assert 0.05 < done[-1] - done[0] < 5


async def test_a_way_that_was_closed_is_looked_for_again_at_each_start() -> None:
    async with proxy(b"HTTP/1.1 403 Forbidden\r\n\r\n") as (url, heard):
        connector = NeonizeConnector("LYROX", {"HTTPS_PROXY": url})
        whys = [await connector.unreachable() for _ in range(3)]
        connector.close()

    assert all("403" in (why or "") for why in whys)
    assert len(heard) == 3
