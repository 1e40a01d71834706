"""Who follows one pairing: its parent by pipes, and others by a socket beside the session file.

Both ways carry one JSON object a line: events to everybody, wishes from anybody. The socket lies in
a folder that only our user may enter, because whoever sees a code may pair.
"""

import asyncio
import contextlib
import json
import os
import socket
import sys
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

Words = dict[str, Any]

LINE_BYTES = 2**16


class Audience:
    """Says each event to all, and to those who join later what still holds."""

    def __init__(self) -> None:
        self.wishes: asyncio.Queue[Words] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._holds: dict[str, tuple[float, Words]] = {}
        self._joined: set[StreamWriter] = set()

    def say(self, **words: Any) -> None:
        """An event; ``expires_in`` (s) counts from now."""
        self._holds[words["event"]] = (self._loop.time(), words)
        sys.stdout.write(json.dumps(words) + "\n")
        sys.stdout.flush()
        for writer in self._joined:
            writer.write(_line(words))

    async def said(self) -> None:
        """Returns when everybody has got what was said, or after a second."""
        drains = (writer.drain() for writer in self._joined)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await asyncio.gather(*drains, return_exceptions=True)

    def hear_parent(self) -> None:
        """Take the parent's wishes; the process ends at once when the parent does."""
        threading.Thread(target=self._hear_parent, daemon=True).start()

    @contextlib.asynccontextmanager
    async def open(self, path: Path) -> AsyncIterator[None]:
        """Let others join at *path*; only the holder of the company's lock may."""
        with _door(path) as door:
            server = await asyncio.start_unix_server(self._welcome, sock=door, limit=LINE_BYTES)
            try:
                yield
            finally:
                server.close()

    def _hear_parent(self) -> None:
        for line in sys.stdin.buffer:
            self._loop.call_soon_threadsafe(self._take, line)
        os._exit(1)

    async def _welcome(self, reader: StreamReader, writer: StreamWriter) -> None:
        now = self._loop.time()
        for said_at, words in self._holds.values():
            left = {key: words[key] - (now - said_at) for key in ("expires_in",) if key in words}
            writer.write(_line(words | left))
        self._joined.add(writer)
        with contextlib.suppress(OSError, ValueError):
            async for line in reader:
                self._take(line)
        self._joined.discard(writer)
        writer.close()

    def _take(self, line: bytes) -> None:
        with contextlib.suppress(ValueError):
            words = json.loads(line)
            if isinstance(words, dict):
                self.wishes.put_nowait(words)


async def join(path: Path) -> tuple[StreamReader, StreamWriter] | None:
    """The line to a pairing that runs, or None where none does."""
    try:
        with _short(path) as name:
            return await asyncio.open_unix_connection(name, limit=LINE_BYTES)
    except OSError:
        return None


@contextlib.contextmanager
def _door(path: Path) -> Iterator[socket.socket]:
    path.unlink(missing_ok=True)  # Left behind by a process that was killed.
    door = socket.socket(socket.AF_UNIX)
    with _short(path) as name:
        door.bind(name)
    try:
        yield door
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for *path* that fits into a socket's 107 bytes, where the system has such names."""
    if sys.platform != "linux":
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _line(words: Words) -> bytes:
    return (json.dumps(words) + "\n").encode()
