"""The next few messages of a journal, in memory; the others wait on the disk to be read back."""

import asyncio

from bot.whatsapp.journal import Journal
from models.values import InboundMessage

MOST = 200
"""Messages in memory, of about 2 KB each."""

Upcomer = tuple[InboundMessage, tuple[str, ...]]
"""A message, and the chats which the owner's hand keeps silent until it is stored."""


class Upcoming:
    """A queue that never holds more than `MOST`; all of it runs on the loop's thread.

    ``behind``: more waits in the journal than here. Whoever takes messages out reads on in the
    journal once this is empty, and what comes meanwhile stays behind those before it.
    """

    def __init__(self, journal: Journal) -> None:
        self.behind = False
        self._journal = journal
        self._queue: asyncio.Queue[Upcomer] = asyncio.Queue()
        self._held: set[int] = set()

    def put(self, message: InboundMessage, chats: tuple[str, ...]) -> None:
        """Queue what stands in the journal, or leave it there."""
        seq = message.journal_seq
        if seq in self._held or not self._journal.waits(seq):
            return  # It was read back before its turn to be queued came.
        if self.behind or self._queue.qsize() >= MOST:
            self.behind = True
            return
        self._held.add(seq)
        self._queue.put_nowait((message, chats))

    async def next(self) -> Upcomer:
        """The oldest, once there is one."""
        return await self._queue.get()

    def taken(self, message: InboundMessage) -> bool:
        """It is done with; True when the journal must be read on, before `settled`."""
        self._held.discard(message.journal_seq)
        return self.behind and self._queue.empty()

    def settled(self) -> None:
        """The end of what `next` began."""
        self._queue.task_done()

    async def used_up(self) -> None:
        """Wait until all messages are taken."""
        await self._queue.join()
