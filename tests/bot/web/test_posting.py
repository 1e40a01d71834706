"""Posting to a real server: what counts as taken, and where nothing is ever sent."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web

from bot.alerts.carriers import NotDelivered
from bot.web.posting import barred, open_poster
from tests.certificates import Certificates

HERE = ("127.0.0.0/8", "::1/128")
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def receiver(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A program that takes webhooks; yields where, and answers each with *answer*."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        port = runner.addresses[0][1]
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}/hook"
    finally:
        await runner.cleanup()


def says(status: int, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers)

    return answer


async def refusal(url: str, *, networks: tuple[str, ...] = HERE, seconds: float = 5.0) -> str:
    async with open_poster(networks, seconds=seconds) as post:
        with pytest.raises(NotDelivered) as caught:
            await post(url, b"{}", {})
    return str(caught.value)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_is_taken(status: int) -> None:
    got: list[tuple[str, str, str, bytes]] = []

    async def answer(request: web.Request) -> web.Response:
        headers = request.headers
        got.append(
            (request.method, headers["Content-Type"], headers["webhook-id"], await request.read())
        )
        return web.Response(status=status)

    async with receiver(answer) as url, open_poster(HERE) as post:
        said = await post(url, '{"ñ":1}'.encode(), {"webhook-id": "7"})

    assert said == f"answered {status}"
    assert got == [("POST", "application/json", "7", '{"ñ":1}'.encode())]


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 503])
async def test_anything_else_is_not(status: int) -> None:
    async with receiver(says(status)) as url:
        assert await refusal(url) == f"answered {status}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with receiver(answer) as url:
        said = await refusal(url)

    assert said == f"answered {status}: redirects are not followed; name the final address"
    assert asked == ["/hook"]


async def test_a_slow_answer_is_not_waited_for() -> None:
    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(10)
        return web.Response()

    async with receiver(answer) as url:
        assert await refusal(url, seconds=0.1) == "no answer in time"


async def test_an_endless_answer_is_not_read() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    async with receiver(answer) as url, open_poster(HERE, seconds=5) as post:
        async with asyncio.timeout(2):
            assert await post(url, b"{}", {}) == "answered 200"


async def test_nobody_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert str(port) in await refusal(f"http://127.0.0.1:{port}/")


async def test_a_name_that_does_not_exist_is_told() -> None:
    assert "nowhere.invalid" in await refusal("https://nowhere.invalid/")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_private_address_is_refused_also_behind_a_name(host: str, scheme: str) -> None:
    reached: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response()

    async with receiver(answer) as url:
        port = url.rpartition(":")[2]
        said = await refusal(f"{scheme}://{host}:{port}", networks=())

    assert "private_networks" in said
    assert reached == []


async def test_plain_http_is_for_private_networks_alone() -> None:
    assert "plain HTTP goes nowhere else: use https" in await refusal("http://1.1.1.1/")


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    async with receiver(says(200), Certificates(tmp_path).server()) as url:
        assert "certificate verify failed" in (await refusal(url)).casefold()


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    async with receiver(says(200)) as url, open_poster(HERE) as post:
        assert await post(url, b"{}", {}) == "answered 200"


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "0.0.0.1", "169.254.169.254"),
        *("100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1"),
        *("::1", "::", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1"),
        *("::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "2001:0:a00:1::1", "::7f00:1"),
    ],
)
def test_what_is_not_on_the_internet_is_barred(address: str) -> None:
    assert barred(address, (), public=True)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_what_is_on_the_internet_is_not(address: str) -> None:
    assert not barred(address, (), public=True)
    assert barred(address, (), public=False)


def test_a_private_network_may_be_allowed_and_no_other_with_it() -> None:
    allowed = [ip_network("10.1.0.0/16")]

    assert not barred("10.1.2.3", allowed, public=True)
    assert not barred("::ffff:10.1.2.3", allowed, public=False)
    assert barred("10.2.0.1", allowed, public=True)
