"""A pipe in front of a store's Unix socket that a test can hold, cut, slow down or make lossy."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path


class Valve:
    """Passes everything on; held, nothing moves; cut, nobody can connect.

    ``delay`` is how many seconds each question takes longer. ``losing`` is the share of answers
    instead of which the connection breaks: what was asked has happened, and nobody hears it.
    """

    def __init__(self, behind: Path, front: Path) -> None:
        self._behind = behind
        self.front = front
        self.delay = 0.0
        self.losing = 0.0
        self.dice = random.Random(6)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._pipes: set[asyncio.Task[None]] = set()

    def hold(self) -> None:
        """The store accepts, and never answers."""
        self._flowing.clear()

    async def cut(self) -> None:
        """The store is gone: connections break and none can be made."""
        if self._server is not None:
            self._server.close()
        self.front.unlink(missing_ok=True)
        await self._break()

    async def open(self) -> None:
        """All is well; what was held goes on."""
        self._flowing.set()
        if self._server is None or not self._server.is_serving():
            self._server = await asyncio.start_unix_server(self._serve, self.front)

    async def close(self) -> None:
        """For good."""
        self._flowing.set()
        await self.cut()

    async def _break(self) -> None:
        for _ in range(3):  # Those that were just accepted too; an aborted one closes a step later.
            for pipe in self._pipes:
                pipe.cancel()
            await asyncio.gather(*self._pipes, return_exceptions=True)
            await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._pipes.add(task)
        task.add_done_callback(self._pipes.discard)
        try:
            inside, outside = await asyncio.open_unix_connection(self._behind)
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._ask(reader, outside))
                group.create_task(self._answer(inside, writer))
        except asyncio.CancelledError:
            return
        finally:
            for end in (writer, outside):
                end.transport.abort()

    async def _ask(self, client: asyncio.StreamReader, store: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await client.read(65536):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._pass_on(data, store)
        store.close()

    async def _answer(self, store: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await store.read(65536):
                if self.losing and self.dice.random() < self.losing:
                    break
                await self._pass_on(data, client)
        client.close()

    async def _pass_on(self, data: bytes, sink: asyncio.StreamWriter) -> None:
        await self._flowing.wait()
        sink.write(data)
        await sink.drain()


@contextlib.asynccontextmanager
async def valve(behind: Path, front: Path) -> AsyncIterator[Valve]:
    """An open valve between *front* and the store *behind*."""
    opened = Valve(behind, front)
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()
