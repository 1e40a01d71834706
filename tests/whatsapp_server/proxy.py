"""An HTTP proxy that leads every tunnel to the loopback server.

It looks who opened the tunnel and has that process patched before the tunnel opens, so any
number of clients may come, and come again, without a hook in any of them.
"""

import asyncio
import contextlib
from collections.abc import Callable


class Proxy:
    """Listens on loopback; ``before`` is told the client's port of each tunnel."""

    def __init__(self, target: tuple[str, int], before: Callable[[int], None]) -> None:
        self._target = target
        self._before = before
        self._server: asyncio.Server | None = None
        self._tunnels: set[asyncio.Task[None]] = set()
        self.opened: list[str] = []
        self.cuts = False  # A tunnel is promised, and then cut.
        self.flows = asyncio.Event()  # While it is not set, the tunnels stand and carry nothing.
        self.flows.set()

    def twin(self) -> "Proxy":
        """Another way to the same server."""
        return Proxy(self._target, self._before)

    @property
    def url(self) -> str:
        """What HTTPS_PROXY must say."""
        if self._server is None:
            raise RuntimeError("the proxy is not open")
        host, port = self._server.sockets[0].getsockname()
        return f"http://{host}:{port}"

    async def open(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def close(self) -> None:
        """Cut every tunnel."""
        if self._server is not None:
            self._server.close()
        for tunnel in tuple(self._tunnels):
            tunnel.cancel()
        await asyncio.gather(*self._tunnels, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tunnels.add(task)
            task.add_done_callback(self._tunnels.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._tunnel(reader, writer)
        writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, place = head.split(" ", 2)[:2]
        if method != "CONNECT":
            writer.write(b"HTTP/1.1 405 Only tunnels\r\n\r\n")
            return
        self.opened.append(place)
        self._before(writer.get_extra_info("peername")[1])
        there = await asyncio.open_connection(*self._target)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        if self.cuts:
            there[1].close()
            return
        try:
            await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))
        finally:
            there[1].close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self.flows.wait()
            writer.write(data)
            await writer.drain()
        await self.flows.wait()
        writer.close()
