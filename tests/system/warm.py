"""The test's end of `nursery.py`: commands and daemons in processes that need not import first."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from tests.system.process import Home, Said, spawned

_numbers = itertools.count(1)


class Child:
    """One forked process."""

    def __init__(self, out: Path, err: Path) -> None:
        self.pid = 0
        self._out, self._err = out, err
        self.born = asyncio.Event()
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def out(self) -> str:
        """What it has printed."""
        return self._out.read_text(encoding="utf-8", errors="replace")

    @property
    def err(self) -> str:
        """What it has said beside its output."""
        return self._err.read_text(encoding="utf-8", errors="replace")

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return not self._ended.done()

    def hear(self, words: Mapping[str, Any]) -> None:
        """News from the nursery."""
        if "pid" in words:
            self.pid = words["pid"]
            self.born.set()
        else:
            self._ended.set_result(words["code"])

    async def ended(self, seconds: float = 50) -> int:
        """Wait for its end; its exit code, negative for a signal."""
        async with asyncio.timeout(seconds):
            return await asyncio.shield(self._ended)

    async def send(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end."""
        if self.alive:
            os.kill(self.pid, number)
        return await self.ended()

    async def until(self, words: str, *, seconds: float = 50) -> None:
        """Wait until it has said *words*; fails at once when it has ended."""
        async with asyncio.timeout(seconds):
            while words not in self.err:
                assert self.alive, f"ended without {words!r}:\n{self.err}"
                await asyncio.sleep(0.01)


class Warm:
    """Starts commands at once."""

    def __init__(self, process: Process, folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._children: dict[str, Child] = {}

    async def start(
        self,
        home: Home,
        *words: object,
        run: str = "lyrox",
        typed: bytes = b"",
        env: Mapping[str, str] | None = None,
    ) -> Child:
        """A command on *home* in a process of its own; *typed* is its input."""
        name = f"{next(_numbers)}"
        given, out, err = (self._folder / f"{name}.{end}" for end in ("in", "out", "err"))
        for file, content in ((given, typed), (out, b""), (err, b"")):
            file.write_bytes(content)
        child = self._children[name] = Child(out, err)
        order = {
            "id": name,
            "run": run,
            "words": [*map(str, words), "--config", str(home.config)],
            "in": str(given),
            "out": str(out),
            "err": str(err),
            "env": dict(env or {}),
        }
        assert self._process.stdin
        self._process.stdin.write((json.dumps(order) + "\n").encode())
        await child.born.wait()
        return child

    async def lyrox(
        self,
        home: Home,
        *words: object,
        typed: bytes = b"",
        env: Mapping[str, str] | None = None,
    ) -> Said:
        """A command on *home*, to its end."""
        child = await self.start(home, *words, typed=typed, env=env)
        code = await child.ended()
        return Said(code, child.out, child.err)

    @contextlib.asynccontextmanager
    async def daemon(self, home: Home, *words: object, run: str = "lyrox") -> AsyncIterator[Child]:
        """A ready daemon on *home*; ended at the end if it still runs."""
        words = ("run", *words) if run == "lyrox" else words
        child = await self.start(home, *words, run=run)
        try:
            await child.until("companies: ")
            yield child
        finally:
            await child.send(signal.SIGKILL)

    async def listen(self) -> None:
        """Pass on what the nursery says, for ever."""
        assert self._process.stdout
        while line := await self._process.stdout.readline():
            words = json.loads(line)
            if "id" in words:
                self._children[words["id"]].hear(words)


@contextlib.asynccontextmanager
async def warm(folder: Path, env: Mapping[str, str] | None = None) -> AsyncIterator[Warm]:
    """A nursery; all its children end with it. The real client reads *env* alone, at its birth."""
    words = ("-m", "tests.system.nursery")
    own = {"PYTHONIOENCODING": "utf-8:strict", **(env or {})}  # As in any language's own locale.
    async with spawned(Path(sys.executable), *words, env=own, stdin=PIPE, stderr=None) as process:
        assert process.stdout
        nursery = Warm(process, folder)
        first = await process.stdout.readline()
        assert json.loads(first) == {"ready": True}
        listening = asyncio.ensure_future(nursery.listen())
        try:
            yield nursery
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
