"""Fetching what lies at an address that somebody chose."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from bot.web.fetching import fetch_media, fetch_public
from bot.whatsapp.media_types import is_what_it_says, picture_mime
from bot.whatsapp.pictures import MOST_BYTES, read_file
from models.errors import BadInput, GiveUp, LyroxError, RetryLater
from models.pictures import picture
from models.values import Kind

HERE = ("127.0.0.0/8",)
UNREADABLE = ("xn--caf.com", "xn--", "shop.xn--0.pt", "XN--CAF.com")
PAGES = {"ok": (200, b"x" * 1000), "gone": (404, b""), "ill": (500, b""), "moved": (302, b"")}


@pytest.fixture
async def host() -> AsyncIterator[str]:
    """A host of pictures; ``/silent`` never answers."""

    async def answer(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name == "silent":
            await asyncio.Event().wait()
        status, body = PAGES[name]
        return web.Response(status=status, body=body, headers={"Location": "/ok"})

    app = web.Application()
    app.router.add_get("/{name}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_what_is_there_and_fits_is_fetched(host: str) -> None:
    got = await fetch_public(f"{host}/ok", most=1000, seconds=5, private_networks=HERE)

    assert got == b"x" * 1000


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("gone", GiveUp, "not there any more"),
        ("ill", RetryLater, "answered 500"),
        ("moved", RetryLater, "answered 302"),
        ("silent", RetryLater, "within 0.5 s"),
        ("ok", GiveUp, "larger than"),
    ],
)
async def test_what_cannot_be_had_is_told_with_its_reason(
    host: str, name: str, error: type[LyroxError], words: str
) -> None:
    with pytest.raises(error, match=words):
        await fetch_public(f"{host}/{name}", most=999, seconds=0.5, private_networks=HERE)


async def test_a_private_address_is_not_connected_to(host: str) -> None:
    with pytest.raises(RetryLater, match=r"127\.0\.0\.1 is a private address"):
        await fetch_public(f"{host}/ok", most=1000, seconds=5)


@pytest.mark.parametrize("url", [f"https://{host}/x.png" for host in UNREADABLE] + ["x.png"])
async def test_an_address_that_cannot_be_read_is_given_up(url: str) -> None:
    with pytest.raises(GiveUp, match="is no address of a host"):
        await fetch_public(url, most=10, seconds=5)


@pytest.mark.parametrize("path", ["@127.0.0.1/x", ".evil.test/x", "", ":80/x"])
async def test_a_sealed_file_is_asked_of_whatsapps_host_alone(path: str) -> None:
    with pytest.raises(GiveUp, match="none of WhatsApp's media host"):
        await fetch_media(path, most=10, seconds=1)


@pytest.mark.parametrize(
    ("kind", "mime", "data", "is_so"),
    [
        (Kind.IMAGE, "image/png", b"\x89PNG\r\n\x1a\n", True),
        (Kind.IMAGE, "image/heic", b"\0\0\0\x18ftypheic", True),
        (Kind.IMAGE, "image/jpeg", b"GET / HTTP/1.1", False),
        (Kind.IMAGE, "image/jpeg", b"", False),
        (Kind.AUDIO, "audio/mpeg", b"\xff\xfb\x90", True),
        (Kind.AUDIO, "audio/ogg", b"\x7fELF", False),
        (Kind.VIDEO, "video/mp4", b"\0\0\0\x18ftypmp42", True),
        (Kind.DOCUMENT, "application/pdf", b"%PDF-1.7", True),
        (Kind.DOCUMENT, "application/pdf", b"MZ\x90", False),
        (Kind.DOCUMENT, "text/plain", b"#!/bin/sh", False),
        (Kind.DOCUMENT, "text/csv", b"a,b", True),
        (Kind.STICKER, "image/webp", b"RIFF", True),
    ],
)
def test_a_file_is_judged_by_its_first_bytes(
    kind: Kind, mime: str, data: bytes, is_so: bool
) -> None:
    assert is_what_it_says(kind, mime, data) is is_so


def test_only_what_every_phone_shows_is_a_picture() -> None:
    assert picture_mime(b"\xff\xd8\xff\xe0") == "image/jpeg"
    assert picture_mime(b"\x89PNG\r\n\x1a\n") == "image/png"
    assert picture_mime(b"GIF89a") is None


def test_a_file_that_is_too_large_or_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(MOST_BYTES + 1))

    for place in (tmp_path / "big", tmp_path, tmp_path / "missing", Path("/dev/zero")):
        with pytest.raises(GiveUp):
            read_file(str(place))


@pytest.mark.parametrize(
    "place",
    [
        *("/srv/plan.jpg", "https://shop.test/plan.png?v=2", "https://xn--fa-hia.test/plan.png"),
        *("https://panadería.test/plan.png", "https://shop.test.:8443/plan.png"),
    ],
)
def test_a_picture_may_be_a_file_or_a_safe_address(place: str) -> None:
    assert picture("image", place) == place


@pytest.mark.parametrize("place", ["plan.jpg", "http://shop.test/x.jpg", "ftp://x", "", "a\nb"])
def test_any_other_place_is_refused_in_one_sentence(place: str) -> None:
    with pytest.raises(BadInput, match=r"^image: "):
        picture("image", place)


@pytest.mark.parametrize("host", [*UNREADABLE, "shop..test", f"{'a' * 64}.test"])
def test_a_host_that_nobody_can_read_is_refused_where_it_is_entered(host: str) -> None:
    with pytest.raises(BadInput, match=r"^image: .* cannot be a host"):
        picture("image", f"https://{host}/plan.png")
