"""Bytes lent to the client through the loopback interface, for as long as a block lasts."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def lent(data: bytes) -> AsyncIterator[str]:
    """An address on this machine, with a name nobody can guess, where *data* can be read."""
    name = secrets.token_hex(16)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            asked = await reader.readuntil(b"\r\n\r\n")
            if asked.startswith(f"GET /{name} ".encode()):
                writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\n".encode())
                writer.write(b"Connection: close\r\n\r\n" + data)
            else:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/{name}"
    finally:
        server.close()
