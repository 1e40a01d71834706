"""Fetching what lies at an address: so much at most, so long at most, and nowhere private."""

import socket
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

import aiohttp
from yarl import URL

from bot.web.posting import barred
from models.errors import GiveUp, RetryLater

_CHUNK = 64 * 1024
_GONE = {403, 404, 410}
_WEB = "https://web.whatsapp.com"

MEDIA_HOST = "mmg.whatsapp.net"
"""The only host from which people's files are fetched, whatever their message says."""


async def fetch_public(
    url: str, *, most: int, seconds: float, private_networks: Sequence[str] = ()
) -> bytes:
    """What an https address of somebody's choice holds. Raises GiveUp or RetryLater.

    The address that is connected to must be public or in *private_networks*, whatever its name
    stood for before; redirects are not followed.
    """
    place = _place(url)
    allowed = [ip_network(network) for network in private_networks]

    def guarded(info: Any) -> socket.socket:
        family, kind, protocol, _, place = info
        if barred(place[0], allowed, public=True):
            raise OSError(f"{place[0]} is a private address")
        return socket.socket(family, kind, protocol)

    connector = aiohttp.TCPConnector(socket_factory=guarded, limit=4)
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
        return await _fetch(session, place, most, seconds)


async def fetch_media(path: str, *, most: int, seconds: float) -> bytes:
    """The sealed file at *path* of WhatsApp's media host. Raises GiveUp or RetryLater.

    It goes the way that the client itself would go, through ``HTTPS_PROXY`` where that is set.
    """
    url = URL(f"https://{MEDIA_HOST}{path}", encoded=True)
    if not path.startswith("/") or (url.host, url.user) != (MEDIA_HOST, None):
        raise GiveUp("its address is none of WhatsApp's media host")
    headers = {"Origin": _WEB, "Referer": f"{_WEB}/"}
    async with aiohttp.ClientSession(headers=headers, trust_env=True) as session:
        return await _fetch(session, url, most, seconds)


def _place(url: str) -> URL:
    """What *url* says, its host read once: whoever names it later must not fail on it."""
    try:
        place = URL(url)
        if place.host:
            return place
    except ValueError:  # Such as a host in punycode that stands for nothing.
        pass
    raise GiveUp(f"{url[:200]!r} is no address of a host")


async def _fetch(session: aiohttp.ClientSession, url: URL, most: int, seconds: float) -> bytes:
    limit = aiohttp.ClientTimeout(total=seconds)
    try:
        async with session.get(url, timeout=limit, allow_redirects=False) as answer:
            _check(answer.status)
            return await _read(answer, most)
    except TimeoutError:
        raise RetryLater(f"{url.host} did not deliver it within {seconds:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        cause = getattr(error, "os_error", error)
        raise RetryLater(f"{url.host} did not deliver it: {str(cause)[:200]}") from None


def _check(status: int) -> None:
    if status in _GONE:
        raise GiveUp(f"it is not there any more ({status})")
    if status != 200:
        raise RetryLater(f"its host answered {status}")


async def _read(answer: aiohttp.ClientResponse, most: int) -> bytes:
    read = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK):
        read += chunk
        if len(read) > most:
            raise GiveUp(f"it is larger than {most / 2**20:.0f} MB")
    return bytes(read)
