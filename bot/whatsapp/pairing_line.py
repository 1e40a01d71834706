"""One line to a pairing's process, whether it is our child or was there before."""

import asyncio
import contextlib
import json
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from bot.whatsapp import pairing_audience

_END_LIMIT = 5.0


class Line:
    """Events come in, wishes go out; closing it ends the process if it is ours."""

    def __init__(self, reader: StreamReader, writer: StreamWriter, process: Process | None) -> None:
        self._reader = reader
        self._writer = writer
        self._process = process
        self._ended = False

    @property
    def broke(self) -> bool:
        """Whether our own process has ended by itself."""
        return self._process is not None and self._ended

    async def words(self) -> AsyncGenerator[dict[str, Any], None]:
        """Each event; a line that the client itself printed is none."""
        with contextlib.suppress(OSError):
            async for line in self._reader:
                with contextlib.suppress(ValueError):
                    words = json.loads(line)
                    if isinstance(words, dict) and "event" in words:
                        yield words
        self._ended = True

    def wish(self, **words: str) -> None:
        """Ask for something; the answer is an event."""
        self._writer.write((json.dumps(words) + "\n").encode())

    async def close(self) -> None:
        """Follow no more."""
        self._writer.close()
        if self._process is not None:
            await _end(self._process)


async def join(socket: Path) -> Line | None:
    """The line to a pairing that runs, or None where none does."""
    line = await pairing_audience.join(socket)
    return Line(*line, None) if line else None


async def start(
    state_dir: Path, company_id: UUID, device_name: str, *, environ: Mapping[str, str]
) -> Line:
    """A process of ours, and the line to it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.whatsapp.pairing_child"),
        *(str(state_dir), str(company_id), device_name),
        stdin=PIPE,
        stdout=PIPE,
        env=dict(environ),
        limit=2**20,
    )
    if process.stdout is None or process.stdin is None:
        raise OSError("the pairing process has no pipes")
    return Line(process.stdout, process.stdin, process)


async def _end(process: Process) -> None:
    """It ends when its input does; one that does not is killed."""
    try:
        async with asyncio.timeout(_END_LIMIT):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
