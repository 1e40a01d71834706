"""Whether WhatsApp can be reached from here, asked before the client is started.

Each failed start of the client leaks memory and descriptors that nothing gives back, so a
machine without a way out must not find that out through the client.
"""

import asyncio
import os
import random
from collections.abc import Mapping
from urllib.parse import urlsplit

HOST, PORT = "web.whatsapp.com", 443


async def unreachable(environ: Mapping[str, str] = os.environ, *, limit: float = 8.0) -> str | None:
    """None if a connection can be opened, else why not, in a few words for an operator."""
    proxy = environ.get("HTTPS_PROXY") or environ.get("https_proxy") or ""
    try:
        async with asyncio.timeout(limit):
            return await (_through(proxy) if proxy else _straight(HOST, PORT))
    except TimeoutError:
        return f"{_place(proxy)} did not answer in {limit:.0f} s"
    except OSError as error:
        return f"{_place(proxy)}: {error.strerror or error}"


def backoff(attempt: int, *, first: float = 2.0, longest: float = 300.0) -> float:
    """Seconds to wait before try *attempt* (from 0): doubling, bounded, never in step."""
    wait = min(longest, first * 2.0 ** min(attempt, 16))
    return wait * random.uniform(0.75, 1.0)  # noqa: S311  # Spreading load, not keeping a secret.


def _place(proxy: str) -> str:
    if not proxy:
        return HOST
    parts = urlsplit(proxy)
    return f"the proxy {parts.hostname}:{parts.port or 443}"


async def _straight(host: str, port: int) -> str | None:
    _, writer = await asyncio.open_connection(host, port)
    writer.close()
    return None


async def _through(proxy: str) -> str | None:
    parts = urlsplit(proxy)
    if parts.scheme not in {"http", ""}:
        return await _straight(parts.hostname or "", parts.port or 443)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        writer.write(f"CONNECT {HOST}:{PORT} HTTP/1.1\r\nHost: {HOST}:{PORT}\r\n\r\n".encode())
        await writer.drain()
        answer = (await reader.readline()).decode("latin-1").strip()
    finally:
        writer.close()
    refused = answer.split(" ", 2)[1:2] not in (["200"], ["407"])
    return f"the proxy {parts.hostname}:{parts.port} says {answer!r}" if refused else None
