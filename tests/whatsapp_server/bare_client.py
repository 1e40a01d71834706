"""The real client of one company with nothing of ours around it, executed by its path.

``bare_client.py STATE_DIR COMPANY EVENT…`` connects, subscribed to those event numbers, and says
``code``, ``login``, ``event`` (number and bytes in hex) and ``end`` lines. ``call`` commands name a
function of the client and its arguments after the first: numbers, or bytes in hex.
"""

import asyncio
import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from bot.whatsapp import library
from bot.whatsapp.client import Client
from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.gate import Gate


def say(**words: object) -> None:
    """One line for the test."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


class Ears:
    """Says everything that the client tells."""

    def on_code(self, code: str) -> None:
        """A code to scan."""
        say(event="code", code=code)

    def on_login(self, status: str) -> None:
        """How a pairing ended."""
        say(event="login", status=status)

    def on_event(self, code: int, raw: bytes) -> None:
        """Any event."""
        say(event="event", number=code, raw=raw.hex())

    def on_end(self, error: str) -> None:
        """The client gave up."""
        say(event="end", error=error)


async def obey(loaded: library.Library, company: str, command: dict[str, Any]) -> None:
    """Call the client on a thread of its own, as a call may wait for the network for minutes."""
    function = getattr(loaded.code, command["name"])
    given = command["arguments"]
    arguments = [bytes.fromhex(one) if isinstance(one, str) else one for one in given]
    answer = await asyncio.to_thread(function, company.encode(), *arguments)
    say(event="answer", id=command["id"], raw=_bytes(answer).hex())


def _bytes(answer: Any) -> bytes:
    """The binding turns most answers into bytes itself, and leaves a few as pointers."""
    if isinstance(answer, bytes) or not answer:
        return answer or b""
    return ctypes.string_at(answer.contents.ptr, answer.contents.size)


async def main(state_dir: str, company: str, *events: str) -> None:
    """Connect and obey until the input ends."""
    loaded = library.load()
    files = CompanyFiles(Path(state_dir), UUID(company))
    files.prepare()
    client = Client(
        loaded,
        Gate(workers=1),
        company_id=files.company_id,
        session=files.session,
        device_name="LYROX",
        observer=Ears(),
        subscribed=tuple(map(int, events)),
    )
    await client.start()
    reader, loop = asyncio.StreamReader(2**26), asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    obeying = set()
    while line := await reader.readline():
        obeying.add(asyncio.ensure_future(obey(loaded, company, json.loads(line))))
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
