"""WhatsApp for a benchmark: the loopback server and all customers, in a process of their own."""

import asyncio
import itertools
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from models.errors import Unavailable

LINE_BYTES = 2**22
LONGEST_SECONDS = 300.0


class WhatsApp:
    """``python -m tests.whatsapp_server``, which says what it can do; answers come by number."""

    def __init__(self, process: Process, environment: Mapping[str, str]) -> None:
        self.environment = environment
        """What a client's environment must hold when it is executed."""
        self._process = process
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}

    async def do(self, command: str, **words: object) -> Any:
        """Give a command and return its answer's value; raises Unavailable for an error."""
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        if self._process.stdin is None:
            raise Unavailable("the WhatsApp server has no input")
        line = json.dumps({"do": command, "id": number, **words}, default=str)
        self._process.stdin.write(line.encode() + b"\n")
        async with asyncio.timeout(LONGEST_SECONDS):
            return await answer

    async def listen(self) -> None:
        """Hear its answers until it ends; then nobody waits for one any more."""
        try:
            while line := await _line(self._process):
                words = json.loads(line)
                if (waiting := self._asked.pop(words.get("id"), None)) is not None:
                    _settle(waiting, words)
        finally:
            for waiting in self._asked.values():
                waiting.set_exception(Unavailable("the WhatsApp server has ended"))


@asynccontextmanager
async def whatsapp(folder: Path) -> AsyncIterator[WhatsApp]:
    """The server, listening; it keeps its certificates under *folder*."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.whatsapp_server", str(folder)),
        stdin=PIPE,
        stdout=PIPE,
        limit=LINE_BYTES,
    )
    opened = json.loads(await _line(process) or b"null")
    if opened is None:
        raise Unavailable("the WhatsApp server did not start: it needs Linux on x86-64")
    server = WhatsApp(process, opened["environment"])
    listening = asyncio.ensure_future(server.listen())
    try:
        yield server
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await asyncio.gather(listening, return_exceptions=True)


async def _line(process: Process) -> bytes:
    return await process.stdout.readline() if process.stdout is not None else b""


def _settle(waiting: asyncio.Future[Any], words: Mapping[str, Any]) -> None:
    if "error" in words:
        waiting.set_exception(Unavailable(f"the WhatsApp server says: {words['error']}"))
    else:
        waiting.set_result(words["value"])
