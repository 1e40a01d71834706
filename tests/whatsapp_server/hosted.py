"""The test's end of a program of this package: starts it, waits for its lines, gives commands."""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

_PROGRAM = Path(__file__).with_name("program.py")


class Hosted:
    """A running program, and every line it has said."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.said: list[dict[str, Any]] = []
        self._new = asyncio.Event()
        self._reading = asyncio.ensure_future(self._read())

    async def until(
        self, *, seconds: float = 50, after: int = 0, **words: object
    ) -> dict[str, Any]:
        """The first line from *after* on that holds these words."""
        return await self.first(lambda line: words.items() <= line.items(), seconds, after)

    async def first(
        self, wanted: Callable[[dict[str, Any]], bool], seconds: float = 50, after: int = 0
    ) -> dict[str, Any]:
        """The first line from *after* on that is *wanted*."""
        try:
            async with asyncio.timeout(seconds):
                return await self._first(wanted, after)
        except TimeoutError:
            last, end = self.said[after:][-12:], self.process.returncode
            raise TimeoutError(f"not said within {seconds:.0f} s; end {end}; {last}") from None

    async def _first(self, wanted: Callable[[dict[str, Any]], bool], after: int) -> dict[str, Any]:
        while True:
            while after < len(self.said):
                after += 1
                if wanted(self.said[after - 1]):
                    return self.said[after - 1]
            self._new.clear()
            await self._new.wait()

    async def do(self, command: str, *, seconds: float = 50, **words: object) -> dict[str, Any]:
        """Give a command and wait for its answer."""
        after = len(self.said)
        await self.tell(command, **words)
        return await self.until(event="answer", after=after, seconds=seconds)

    async def tell(self, command: str, **words: object) -> None:
        """Give a command."""
        stdin = self.process.stdin
        if stdin is None:
            raise RuntimeError("the program has no input")
        stdin.write((json.dumps({"do": command, **words}) + "\n").encode())
        await stdin.drain()

    async def end(self) -> None:
        """Kill it if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await self._reading

    async def _read(self) -> None:
        stdout = self.process.stdout
        while stdout is not None and (line := await stdout.readline()):
            self.said.append(json.loads(line))
            self._new.set()


@contextlib.asynccontextmanager
async def executing(*words: str, environment: Mapping[str, str]) -> AsyncIterator[Hosted]:
    """``python words…`` until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", *words),
        stdin=PIPE,
        stdout=PIPE,
        env=os.environ | environment,
        limit=2**26,  # A line may hold a whole file.
    )
    hosted = Hosted(process)
    try:
        yield hosted
    finally:
        await hosted.end()


@contextlib.asynccontextmanager
async def hosting(
    state_dir: Path, *companies: UUID, environment: Mapping[str, str]
) -> AsyncIterator[Hosted]:
    """`program.py`, hosting these companies."""
    words = (str(_PROGRAM), str(state_dir), *map(str, companies))
    async with executing(*words, environment=environment) as hosted:
        yield hosted
