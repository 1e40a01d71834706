"""The four addresses, asked over real HTTP."""

import asyncio
import contextlib
import json
import re
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout, web

from bot.metrics import Metrics
from bot.web import serve
from bot.web.listener import listening
from models.errors import RetryLater, StartupRefused, Unavailable


@dataclass
class Daemon:
    """What the pages ask; a test bends it."""

    alive: bool = True
    problems: list[str] = field(default_factory=list)
    away: bool = False
    hangs: bool = False

    async def ready(self) -> list[str]:
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise RetryLater("PostgreSQL does not answer")
        return self.problems

    async def status(self) -> Mapping[str, object]:
        return {"ready": True, "companies": ["panadería"], "broken": "\ud83d"}

    def serve(self, listen: str = "127.0.0.1:0") -> AbstractAsyncContextManager[str]:
        return serve(
            listen,
            alive=lambda: self.alive,
            ready=self.ready,
            status=self.status,
            metrics=Metrics().render,
        )


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with ClientSession(timeout=ClientTimeout(total=10)) as session:
        yield session


def _need_ipv6() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback address")


async def _ask(client: ClientSession, url: str, **headers: str) -> tuple[int, str]:
    async with client.get(url, headers=headers) as answer:
        return answer.status, await answer.text()


async def test_healthz_says_whether_the_loops_turn(client: ClientSession) -> None:
    daemon = Daemon()
    async with daemon.serve() as address:
        assert await _ask(client, f"http://{address}/healthz") == (200, '{"alive": true}\n')

        daemon.alive = False

        assert await _ask(client, f"http://{address}/healthz") == (503, '{"alive": false}\n')


async def test_readyz_lists_what_is_wrong(client: ClientSession) -> None:
    daemon = Daemon()
    async with daemon.serve() as address:
        status, body = await _ask(client, f"http://{address}/readyz")
        assert (status, json.loads(body)) == (200, {"ready": True, "problems": []})

        daemon.problems = ["Redis does not answer: turns run here until it is back"]

        status, body = await _ask(client, f"http://{address}/readyz")
        assert status == 503
        assert json.loads(body) == {"ready": False, "problems": daemon.problems}


async def test_a_store_that_is_away_is_a_problem_not_a_crash(client: ClientSession) -> None:
    async with Daemon(away=True).serve() as address:
        status, body = await _ask(client, f"http://{address}/readyz")

    assert status == 503
    assert json.loads(body)["problems"] == ["PostgreSQL does not answer"]


async def test_a_store_that_hangs_leaves_nobody_waiting(client: ClientSession) -> None:
    began = time.monotonic()
    async with serve(
        "127.0.0.1:0",
        alive=lambda: True,
        ready=Daemon(hangs=True).ready,
        status=Daemon().status,
        metrics=Metrics().render,
        answer_seconds=0.2,
    ) as address:
        status, body = await _ask(client, f"http://{address}/readyz")

    assert status == 503
    assert json.loads(body)["problems"] == ["a store does not answer in time"]
    assert time.monotonic() - began < 3


async def test_metrics_are_prometheus_text(client: ClientSession) -> None:
    async with (
        Daemon().serve() as address,
        client.get(f"http://{address}/metrics") as answer,
    ):
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert "# HELP lyrox_turns_total" in await answer.text()


async def test_status_is_the_daemons_own_word_as_json(client: ClientSession) -> None:
    async with Daemon().serve() as address:
        status, body = await _ask(client, f"http://{address}/status")

    assert status == 200
    assert json.loads(body) == {"ready": True, "companies": ["panadería"], "broken": "\ud83d"}


async def test_no_answer_tells_what_we_are_made_of(client: ClientSession) -> None:
    async with Daemon().serve() as address:
        for path in ("/healthz", "/nothing-here"):
            async with client.get(f"http://{address}{path}") as answer:
                assert "Server" not in answer.headers
                assert answer.headers["Cache-Control"] == "no-store"
                assert "aiohttp" not in (await answer.text()).lower()


async def test_only_reading_is_possible(client: ClientSession) -> None:
    async with (
        Daemon().serve() as address,
        client.post(f"http://{address}/status", data=b"x" * 4096) as answer,
    ):
        assert answer.status == 405


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1.evil.example:80", "[::1", "10.0.0.1"])
async def test_a_page_that_reaches_us_through_a_foreign_name_is_refused(
    client: ClientSession, name: str
) -> None:
    async with Daemon().serve() as address:
        status, body = await _ask(client, f"http://{address}/status", Host=name)

    assert status == 421
    assert "companies" not in body


async def test_an_endless_header_is_cut_off() -> None:
    async with Daemon().serve() as address:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 9000)

        answer = await asyncio.wait_for(reader.read(), 5)

        writer.close()
    assert answer.startswith(b"HTTP/1.0 400 ")


@pytest.mark.parametrize("said", [b"X: " + b"secret" * 4000, b"sec ret: secret", b"\0secret"])
async def test_what_cannot_be_read_is_in_no_log_and_in_no_answer(
    said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with listening("127.0.0.1:0", web.Application(), public=True) as address:
        answer = await said_to(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + said)

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 400 ")
    assert b"no-store" in head
    assert body == b"400 Bad Request\n"
    assert not re.search(rb"secret|python|aiohttp", answer, re.IGNORECASE)
    assert [record.getMessage() for record in caplog.records] == ["a request cannot be read"]
    assert caplog.records[0].exc_info is None
    assert "secret" not in str(caplog.records[0].__dict__)


async def test_a_fault_of_ours_is_told_with_its_traceback(
    client: ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(_: web.Request) -> web.Response:
        raise KeyError("ours")

    app = web.Application()
    app.router.add_get("/", fails)
    async with listening("127.0.0.1:0", app) as address:
        status, body = await _ask(client, f"http://{address}/")

    assert (status, "ours" in body) == (500, False)
    assert [record.exc_info is None for record in caplog.records] == [False]


async def said_to(address: str, said: bytes) -> bytes:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(said + b"\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer


async def test_a_connection_that_says_nothing_is_closed() -> None:
    async with listening("127.0.0.1:0", web.Application(), idle_seconds=0.1) as address:
        host, _, port = address.rpartition(":")
        for said in (b"", b"GET /healthz HTT"):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(said)

            assert await asyncio.wait_for(reader.read(), 5) == b""

            writer.close()


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:0", "[::1]:0"])
async def test_the_address_told_is_the_one_that_answers(client: ClientSession, listen: str) -> None:
    if listen.startswith("["):
        _need_ipv6()
    async with Daemon().serve(listen) as address:
        assert not address.endswith(":0")
        assert (await _ask(client, f"http://{address}/healthz"))[0] == 200


@pytest.mark.parametrize("listen", ["0.0.0.0:80", "example.com:80", "127.0.0.1:99999", "nonsense"])
async def test_what_others_could_reach_is_never_opened(listen: str) -> None:
    with pytest.raises(StartupRefused, match="not a loopback host:port"):
        async with Daemon().serve(listen):
            pass


async def test_a_port_in_use_is_told_in_one_sentence() -> None:
    async with Daemon().serve() as address:
        with pytest.raises(Unavailable, match=f"{address} is in use by another process"):
            async with Daemon().serve(address):
                pass


async def test_a_stop_waits_for_nobody(client: ClientSession) -> None:
    async with contextlib.AsyncExitStack() as stack:
        address = await stack.enter_async_context(Daemon(hangs=True).serve())
        asked = asyncio.create_task(_ask(client, f"http://{address}/readyz"))
        await asyncio.sleep(0.1)
        began = time.monotonic()

        await stack.aclose()

        assert time.monotonic() - began < 3
        with contextlib.suppress(ClientError):
            await asked
    with socket.socket() as probe:
        host, _, port = address.rpartition(":")
        assert probe.connect_ex((host, int(port))) != 0
