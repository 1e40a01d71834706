"""Posting to addresses that others chose: nowhere private, nowhere else than there, and briefly."""

import ipaddress
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bot.alerts.carriers import NotDelivered, Post
from models.text import one_line

SECONDS = 10.0
"""For one request, from the name's look-up to the status of the answer."""
_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is routed on the internet; tunnels to IPv4 addresses are outside or below."""
_6TO4 = ipaddress.ip_network("2002::/16")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


_BARRED = {
    True: "{} is a private address: name its network in [alerts] private_networks, if you mean it",
    False: "{} is not in [alerts] private_networks, and plain HTTP goes nowhere else: use https",
}


class _Barred(OSError):
    """An address that we do not connect to."""


@asynccontextmanager
async def open_poster(
    private_networks: Sequence[str], *, seconds: float = SECONDS
) -> AsyncIterator[Post]:
    """``await post(url, body, headers)`` says how it was taken, or raises NotDelivered.

    A 2xx counts, and nothing else: redirects are not followed. HTTPS may go to public addresses
    and to *private_networks*, plain HTTP to the latter only. What counts is the address that is
    connected to, whatever a name stood for before.
    """
    allowed = [ipaddress.ip_network(network) for network in private_networks]
    limit = aiohttp.ClientTimeout(total=seconds)
    async with AsyncExitStack() as stack:
        sessions = {
            scheme: await stack.enter_async_context(
                _session(allowed, public=scheme == "https", limit=limit)
            )
            for scheme in ("http", "https")
        }

        async def post(url: str, body: bytes, headers: Mapping[str, str]) -> str:
            return await _post(sessions[urlsplit(url).scheme], url, body, headers)

        yield post


def barred(address: str, allowed: Sequence[Network], *, public: bool) -> bool:
    """Whether *address* is out of bounds; *public* ones are within them or not."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    if any(ip in network for network in allowed if network.version == ip.version):
        return False
    return not (public and _is_public(ip))


def _is_public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if not ip.is_global or ip.is_multicast:
        return False
    return ip.version == 4 or (ip in _UNICAST and ip not in _6TO4)


def _session(
    allowed: Sequence[Network], *, public: bool, limit: aiohttp.ClientTimeout
) -> aiohttp.ClientSession:
    def guarded(info: Any) -> socket.socket:
        family, kind, protocol, _, place = info
        if barred(place[0], allowed, public=public):
            raise _Barred(_BARRED[public].format(place[0]))
        return socket.socket(family, kind, protocol)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(socket_factory=guarded, limit=100),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=limit,
        headers={"User-Agent": f"lyrox/{version('lyrox')}", "Content-Type": "application/json"},
        trust_env=False,
        auto_decompress=False,
    )


async def _post(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str]
) -> str:
    try:
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            status = answer.status
    except TimeoutError:
        raise NotDelivered("no answer in time") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NotDelivered(_why(error)) from None
    if 200 <= status < 300:
        return f"answered {status}"
    if 300 <= status < 400:
        raise NotDelivered(f"answered {status}: redirects are not followed; name the final address")
    raise NotDelivered(f"answered {status}")


def _why(error: Exception) -> str:
    cause = getattr(error, "os_error", None)
    said = str(cause if isinstance(cause, _Barred) else error)
    return one_line(said or type(error).__name__, 200)
