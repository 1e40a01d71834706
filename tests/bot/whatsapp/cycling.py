"""Starts and stops real connections over and over, executed by its path in a process of its own.

``cycling.py STATE_DIR COMPANY…`` says ``ready`` once every company has been connected and stopped
once. ``{"do": "cycles", "rounds": n}``: each company but the last connects and stops n times, in
its own time. ``{"do": "storms", "rounds": n}``: n times all of them start together and stop
together. Meanwhile the last company stays connected and is called without a pause, because a call
that meets a start or stop in the client's maps ends the process.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

from bot.whatsapp.callbacks import CONNECTED
from bot.whatsapp.connector import NeonizeConnector
from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.session_parts import Connection

_CONNECT_LIMIT = 60.0
_CALLERS = 2
_BURST = 300


class Watch:
    """Knows when the connection is there."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.connected = asyncio.Event()
        self.over = ""

    def on_event(self, code: int, _raw: bytes) -> None:
        """Only one event matters."""
        if code == CONNECTED:
            self._loop.call_soon_threadsafe(self.connected.set)

    def on_code(self, _code: str) -> None:
        """Every company is paired."""

    def on_login(self, _status: str) -> None:
        """Every company is paired."""

    def on_end(self, error: str) -> None:
        """After a stop, or too early; then its connection never comes."""
        self.over = error


class Cycling:
    """All companies' connections, none older than its present cycle."""

    def __init__(self, connector: NeonizeConnector, state_dir: Path, names: list[str]) -> None:
        self._connector = connector
        self._files = [CompanyFiles(state_dir, UUID(name)) for name in names]
        self._uuid = names[-1].encode()
        self.calls = 0

    async def cycles(self, rounds: int) -> None:
        """Each company in its own time."""

        async def go_on(files: CompanyFiles) -> None:
            for _ in range(rounds):
                await (await self._start(files)).stop()

        await asyncio.gather(*(go_on(files) for files in self._files[:-1]))

    async def storms(self, rounds: int) -> None:
        """All together."""
        files = self._files[:-1]
        for _ in range(rounds):
            connections = await asyncio.gather(*map(self._start, files))
            await asyncio.gather(*(connection.stop() for connection in connections))

    async def call(self) -> None:
        """Through the last company, without a pause, for ever."""
        await self._start(self._files[-1])
        await asyncio.gather(*(self._call() for _ in range(_CALLERS)))

    async def _call(self) -> None:
        while True:
            await self._connector._gate.call(self._burst)
            self.calls += _BURST

    def _burst(self) -> None:
        """Many looks at the client's maps, all within what the gate takes for a call's entry."""
        library = self._connector._library
        assert library
        for _ in range(_BURST):
            library.code.IsConnected(self._uuid)

    async def _start(self, files: CompanyFiles) -> Connection:
        watch = Watch()
        connection = self._connector.connect(files.company_id, files.session, watch)
        await connection.start()
        await asyncio.wait_for(watch.connected.wait(), _CONNECT_LIMIT)
        return connection


def say(**words: object) -> None:
    """One line for the test."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


async def main(state_dir: str, *names: str) -> None:
    """Obey until the input ends."""
    connector = NeonizeConnector("LYROX")
    await connector.load()
    cycling = Cycling(connector, Path(state_dir), list(names))
    calling = asyncio.ensure_future(cycling.call())
    await cycling.storms(1)
    say(event="ready")
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    deeds: dict[str, Callable[[int], Awaitable[None]]] = {
        "cycles": cycling.cycles,
        "storms": cycling.storms,
    }
    while line := await reader.readline():
        command = json.loads(line)
        before = cycling.calls
        await deeds[command["do"]](command["rounds"])
        say(event="answer", value={"calls": cycling.calls - before, "ended": calling.done()})
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
