"""Opening and closing one listener, with the limits every page of ours shares."""

import errno
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from aiohttp import web

from models.errors import StartupRefused, Unavailable

IDLE_SECONDS = 10.0
"""A connection that says nothing this long is closed."""
STOP_SECONDS = 0.5
"""How long a stop waits for answers on their way."""
LINE_BYTES = 2048
BODY_BYTES = 1024


@asynccontextmanager
async def listening(
    listen: str,
    app: web.Application,
    *,
    key: str = "web.listen",
    public: bool = False,
    idle_seconds: float = IDLE_SECONDS,
) -> AsyncIterator[str]:
    """Serve *app* on *listen*, loopback unless it is *public*; yields the real ``host:port``.

    Raises StartupRefused for an address that is not ours to use, Unavailable for one in use; both
    name the setting *key*.
    """
    host, port = _address(listen, key, public=public)
    app.on_response_prepare.append(_seal)
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=idle_seconds,
        lingering_time=0,
        shutdown_timeout=STOP_SECONDS,
        max_line_size=LINE_BYTES,
        max_field_size=LINE_BYTES,
    )
    await runner.setup()
    try:
        await _start(web.TCPSite(runner, host, port), listen, key)
        real_host, real_port = runner.addresses[0][:2]
        yield f"[{real_host}]:{real_port}" if ":" in real_host else f"{real_host}:{real_port}"
    finally:
        await runner.cleanup()


def is_loopback(netloc: str) -> bool:
    """Whether *netloc*, ``host`` or ``host:port`` as a URL has it, can only be this machine."""
    host = _split(netloc)[0]
    return host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)


def _address(listen: str, key: str, *, public: bool) -> tuple[str, int]:
    host, port = _split(listen)
    if port is None or not (public or is_loopback(listen)):
        kind = "host:port" if public else "loopback host:port"
        raise StartupRefused(f"{key}: {listen} is not a {kind}; use one such as 127.0.0.1:8710")
    return ("127.0.0.1" if host == "localhost" else host), port


def _split(netloc: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(f"//{netloc}")
        return parts.hostname or "", parts.port
    except ValueError:
        return "", None


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _start(site: web.TCPSite, listen: str, key: str) -> None:
    try:
        await site.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Unavailable(
                f"{key}: {listen} is in use by another process; end it or choose another port"
            ) from None
        if error.errno == errno.EACCES:
            raise StartupRefused(
                f"{key}: {listen} is not allowed to this user; choose a port above 1023"
            ) from None
        raise Unavailable(f"{key}: cannot listen on {listen}: {error.strerror}") from None


async def _seal(_request: web.Request, response: web.StreamResponse) -> None:
    """Say nothing about what we are made of, and let nobody keep or reinterpret an answer."""
    response.headers.popall("Server", None)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
