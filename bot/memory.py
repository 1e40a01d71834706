"""What was said goes into the conversation document and the context cache, late but never lost."""

import asyncio
import logging
from collections.abc import Sequence
from uuid import UUID

from bot.background import Background
from bot.context_cache import ContextCache
from bot.lanes import Chat
from models.conversations import Conversations
from models.errors import RetryLater
from models.ledger import Desk, Forgotten
from models.values import CustomerRef, Line

log = logging.getLogger(__name__)

MARK_SECONDS = 0.25
"""How long marks are gathered before one statement tells the ledger about all of them."""

MOST_WAITING = 5000
"""Lines held in this process at most; beyond it the ledger keeps them for the sweeper."""


class Memory:
    """Appends lines chat by chat in order, then marks their ledger rows as remembered.

    A line that cannot be written now stays unmarked, and the sweeper brings it back.
    """

    def __init__(
        self,
        conversations: Conversations,
        cache: ContextCache,
        desk: Desk,
        background: Background,
    ) -> None:
        self._conversations = conversations
        self._cache = cache
        self._desk = desk
        self._background = background
        self._waiting: dict[Chat, list[Forgotten]] = {}
        self._writing: set[Chat] = set()
        self._held = 0
        self._marks: dict[str, list[int]] = {"inbox": [], "outbox": []}
        self._marked = asyncio.Event()

    def remember(
        self, ledger: str, row_id: int, company_id: UUID, customer: CustomerRef, line: Line
    ) -> None:
        """Write *line* soon; returns at once."""
        self.remember_all([Forgotten(ledger, row_id, company_id, customer, line)])

    def remember_all(self, notes: Sequence[Forgotten]) -> None:
        """Write all *notes* soon, each chat's in the order given."""
        for note in notes:
            if self._held >= MOST_WAITING:
                return
            self._held += 1
            chat = (note.company_id, note.customer.id)
            self._waiting.setdefault(chat, []).append(note)
            if chat not in self._writing:
                self._writing.add(chat)
                self._background.start(self._write(chat), name="remember")

    async def run(self) -> None:
        """Tell the ledger, a batch at a time, which rows are remembered."""
        while True:
            await self._marked.wait()
            await asyncio.sleep(MARK_SECONDS)
            await self.flush()

    async def heal(self) -> None:
        """Drop cached conversations that missed a line; raises RetryLater without Redis."""
        await self._cache.heal()

    async def flush(self) -> None:
        """Tell the ledger now."""
        self._marked.clear()
        inbox, outbox = self._marks["inbox"], self._marks["outbox"]
        if not inbox and not outbox:
            return
        self._marks = {"inbox": [], "outbox": []}
        try:
            await self._desk.remembered(inbox, outbox)
        except RetryLater as error:
            log.warning("rows stay unmarked for the sweeper", extra={"why": str(error)})

    async def _write(self, chat: Chat) -> None:
        try:
            while notes := self._waiting.pop(chat, None):
                self._held -= len(notes)
                await self._append(chat, notes)
        finally:
            self._writing.discard(chat)

    async def _append(self, chat: Chat, notes: Sequence[Forgotten]) -> None:
        company_id, customer_id = chat
        lines = [note.line for note in notes]
        customer = notes[-1].customer
        try:
            await self._conversations.append(company_id, customer, lines)
        except RetryLater as error:
            log.warning("conversation not written yet", extra={"why": str(error)})
            return
        # In this order: who misses the cache must find the line in the document.
        await self._cache.push(company_id, customer_id, lines)
        for note in notes:
            self._marks[note.ledger].append(note.row_id)
        self._marked.set()
