"""Messages on the disk of companies that nobody hosts: they are kept all the same.

A phone that logged out, or a company that was put aside, leaves what intake had not got in its
journal. Whoever can lock the company takes it in, without connecting.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

from bot.whatsapp.arrivals import Arrivals
from bot.whatsapp.aside import FOLDER, Aside
from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.host import Host, arrivals_of, journal_of
from bot.whatsapp.locks import holding

log = logging.getLogger(__name__)

_LIMIT = 5.0
_UNREADABLE = "a journal cannot be read"
_UUID = "-".join("[0-9a-f]" * digits for digits in (8, 4, 4, 4, 12))

Trace = tuple[tuple[str, int], ...]


class Leftovers:
    """Looks at all journals of this state directory; *host* says how messages are read and kept."""

    def __init__(self, state_dir: Path, host: Callable[[], Awaitable[Host]]) -> None:
        self._state_dir = state_dir
        self._host = host
        self._done: dict[UUID, Trace] = {}
        self._unreadable: set[UUID] = set()

    async def take_in(self) -> None:
        """Once; what a store refuses now is left to the next time. Raises LibraryMissing.

        A company whose files cannot be touched is told of once, and holds up no other.
        """
        for folder in (self._state_dir / "journal").glob(_UUID):
            files = CompanyFiles(self._state_dir, UUID(folder.name))
            try:
                await self._look_at(files)
                self._unreadable.discard(files.company_id)
            except OSError:
                if files.company_id not in self._unreadable:
                    log.exception(_UNREADABLE, extra={"company": folder.name})
                self._unreadable.add(files.company_id)

    async def _look_at(self, files: CompanyFiles) -> None:
        trace = _trace(files)
        written = any(size for _, size in trace) and trace != self._done.get(files.company_id)
        if not (written or Aside(files.journal / FOLDER).ordered()):
            return
        files.prepare()
        with holding(files.lock, "taking in messages") as ours:
            if ours:
                await self._take_in(files)

    async def _take_in(self, files: CompanyFiles) -> None:
        host, left = await self._host(), 0
        try:
            journal = journal_of(host, files)
            try:
                left = await _hand_over(arrivals_of(host, files, journal), files.company_id)
            finally:
                journal.close()
        except OSError:
            log.exception(_UNREADABLE, extra={"company": str(files.company_id)})
        if not left:
            self._done[files.company_id] = _trace(files)


async def _hand_over(arrivals: Arrivals, company_id: UUID) -> int:
    """How many messages intake could not get yet."""
    count = arrivals.replay()
    if not count:
        return 0
    words = {"company": str(company_id), "count": count}
    log.info("messages of a company that is not hosted are taken in", extra=words)
    taking = asyncio.ensure_future(arrivals.hand_over())
    try:
        await arrivals.emptied(_LIMIT)
    finally:
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
    return arrivals.untaken


def _trace(files: CompanyFiles) -> Trace:
    """Changes whenever the journal was written; empty while it changes under our eyes."""
    try:
        with os.scandir(files.journal) as found:
            segments = [each for each in found if each.name != FOLDER]
            return tuple(sorted((each.name, each.stat().st_size) for each in segments))
    except FileNotFoundError:
        return ()
