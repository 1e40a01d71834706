"""Pairs many companies from one process of the real client, executed by its path.

``seeding.py STATE_DIR COMPANY…`` says a ``code`` line for each company, and a ``paired`` line once
its client has logged in and left its keys. It needs the server's environment at exec.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from uuid import UUID

from bot.whatsapp import library
from bot.whatsapp.callbacks import CONNECTED
from bot.whatsapp.client import Client
from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.gate import Gate

_AT_ONCE = 8
_QUIET = 0.02


class Pupil:
    """One company's part in it."""

    def __init__(self, company: UUID) -> None:
        self.company = company
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()

    def on_code(self, code: str) -> None:
        """A code for the phone."""
        _say(event="code", company=str(self.company), code=code)

    def on_login(self, _status: str) -> None:
        """The connection after it tells more."""

    def on_event(self, code: int, _raw: bytes) -> None:
        """Connected means that the keys are with the server."""
        if code == CONNECTED:
            self._loop.call_soon_threadsafe(self._end, "")

    def on_end(self, error: str) -> None:
        """It never came so far."""
        self._loop.call_soon_threadsafe(self._end, error or "the client ended early")

    def _end(self, error: str) -> None:
        if not self.over.done():
            self.over.set_result(error)


async def main(state_dir: str, *companies: str) -> None:
    """Pair them all, some at a time."""
    loaded, gate = library.load(), Gate(workers=_AT_ONCE)
    turns = asyncio.Semaphore(_AT_ONCE)

    async def pair(company: UUID) -> None:
        files = CompanyFiles(Path(state_dir), company)
        files.prepare()
        pupil = Pupil(company)
        client = Client(
            loaded,
            gate,
            company_id=company,
            session=files.session,
            device_name="LYROX",
            observer=pupil,
            subscribed=(CONNECTED,),
        )
        async with turns:
            await client.start()
            error = await pupil.over
            await client.stop(quiet=_QUIET)
        _say(event="paired" if not error else "failed", company=str(company), error=error)

    await asyncio.gather(*(pair(UUID(company)) for company in companies))
    os._exit(0)


def _say(**words: str) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
