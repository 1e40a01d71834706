"""Opening and closing one listener, with the limits every page of ours shares."""

import asyncio
import errno
import ipaddress
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit

from aiohttp import web

from models.errors import StartupRefused, Unavailable

log = logging.getLogger(__name__)

IDLE_SECONDS = 10.0
"""A connection that says nothing this long is closed."""
STOP_SECONDS = 0.5
"""How long a stop waits for answers on their way."""
LINE_BYTES = 2048
PUBLIC_FIELD_BYTES = 16 * 1024
"""Of one header: a browser sends along the cookies of whatever else lives on a public host."""
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
    runner = web.AppRunner(app, shutdown_timeout=STOP_SECONDS)
    await runner.setup()
    connection = _connections(cast("web.Server", runner.server), public, idle_seconds)
    try:
        listener = await _open(connection, host, port, listen, key)
        real_host, real_port = listener.sockets[0].getsockname()[:2]
        try:
            yield f"[{real_host}]:{real_port}" if ":" in real_host else f"{real_host}:{real_port}"
        finally:
            listener.close()
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


def _connections(
    server: web.Server, public: bool, idle_seconds: float
) -> Callable[[], web.RequestHandler]:
    limits: dict[str, Any] = {
        "access_log": None,
        "keepalive_timeout": idle_seconds,
        "lingering_time": 0,
        "auto_decompress": False,
        "max_line_size": LINE_BYTES,
        "max_field_size": PUBLIC_FIELD_BYTES if public else LINE_BYTES,
    }
    return partial(_Connection, server, loop=asyncio.get_running_loop(), **limits)


async def _open(
    connection: Callable[[], web.RequestHandler], host: str, port: int, listen: str, key: str
) -> asyncio.Server:
    try:
        return await asyncio.get_running_loop().create_server(connection, host, port)
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


class _Connection(web.RequestHandler):
    """Repeats nothing of a request that cannot be read, neither in the log nor in the answer."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What to answer. A fault of ours is logged with its traceback."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return super().handle_error(request, status, exc, message)
        log.info("a request cannot be read", extra={"why": type(exc).__name__})
        said = f"{status} {HTTPStatus(status).phrase}"
        response = web.Response(status=status, text=f"{said}\n", headers=_UNREAD)
        response.force_close()
        return response


async def _seal(_request: web.Request, response: web.StreamResponse) -> None:
    """Say nothing about what we are made of, and let nobody keep or reinterpret an answer."""
    response.headers.popall("Server", None)
    response.headers.update(_SEAL)


_SEAL = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_UNREAD = {**_SEAL, "Server": ""}
"""No application sees the answer to what cannot be read; an empty field keeps ours from it."""
