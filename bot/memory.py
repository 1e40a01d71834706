"""What was said goes into the conversation document and the context cache, late but never lost."""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from bot.background import Background
from bot.context_cache import ContextCache
from bot.lanes import Chat
from models.conversations import Conversations
from models.desk import Desk, Forgotten, Written
from models.errors import GiveUp, RetryLater
from models.values import CustomerRef, Line, Sender, Stage

log = logging.getLogger(__name__)

BEHIND_SECONDS = 0.02
"""How long writing waits, so that the turn which has just begun goes first."""

TOGETHER_SECONDS = 0.25
"""How far apart writings are: under load those of many chats share the way to both stores."""

MOST_TOGETHER = 100
"""Chats written together."""

RIPE_SECONDS = 1.0
"""How long a line is in the document and the cache before its row is marked."""

UNTOLD_SECONDS = 4.0
"""Rows that no sweep has taken by then are marked without one."""

REPLY_SECONDS = 10.0
"""How long a customer's line waits for the reply, to be written together with it."""

FLUSH_SECONDS = 4.0
"""How long a stop waits for what nobody has replied to."""

MOST_WAITING = 5000
"""Lines held in this process at most; beyond it the ledger keeps them for the sweeper."""


@dataclass
class Untold:
    """What of one chat is not written yet, in the order it was said."""

    due: float
    notes: list[Forgotten] = field(default_factory=list)


class Memory:
    """Appends lines chat by chat in order, then marks their ledger rows as remembered.

    What a customer says is written together with the reply, or a while later where none comes:
    until then the ledger has it, and a turn reads it there. A line that cannot be written now
    stays unmarked, and the sweeper brings it back. A row is marked a while after its line is in
    the document and the cache, so that a turn which reads all three at once finds the line in
    at least one.
    """

    def __init__(
        self,
        conversations: Conversations,
        cache: ContextCache,
        desk: Desk,
        background: Background,
        *,
        reply_seconds: float = REPLY_SECONDS,
    ) -> None:
        self._conversations = conversations
        self._cache = cache
        self._desk = desk
        self._background = background
        self._reply_seconds = reply_seconds
        self._waiting: dict[Chat, Untold] = {}
        self._due: dict[Chat, None] = {}
        self._written_at = float("-inf")
        self._idle = asyncio.Event()
        self._idle.set()
        self._held = 0
        self._unmarked: deque[tuple[float, Forgotten]] = deque()
        self._touched = asyncio.Event()

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
            untold = self._waiting.setdefault(chat, Untold(_now() + self._reply_seconds))
            untold.notes.append(note)
            if not _awaits_reply(note):
                self._write_soon(chat)
        self._touched.set()

    async def run(self) -> None:
        """Finish what nobody else finishes, a batch at a time."""
        while True:
            await self._touched.wait()
            await asyncio.sleep(RIPE_SECONDS)
            await self._write_overdue(_now())
            if self._unmarked and self._unmarked[0][0] <= _now() - UNTOLD_SECONDS:
                await self._mark(*self.take_ripe())
            if not (self._unmarked or self._waiting):
                self._touched.clear()

    async def heal(self) -> None:
        """Drop cached conversations that missed a line; raises RetryLater without Redis."""
        await self._cache.heal()

    async def flush(self) -> None:
        """Finish everything, now; what takes too long is the next start's sweep to write."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._write_overdue(float("inf"))
        await self._mark(*self.take_ripe(float("inf")))

    def take_ripe(self, before: float | None = None) -> tuple[list[Written], list[Written]]:
        """Rows of inbox and outbox that whoever calls this tells the ledger to mark."""
        before = _now() - RIPE_SECONDS if before is None else before
        rows: dict[str, list[Written]] = {"inbox": [], "outbox": []}
        while self._unmarked and self._unmarked[0][0] <= before:
            _, note = self._unmarked.popleft()
            rows[note.ledger].append((note.row_id, note.customer.id))
        return rows["inbox"], rows["outbox"]

    def _write_soon(self, chat: Chat) -> None:
        self._due[chat] = None
        if self._idle.is_set():
            self._idle.clear()
            self._background.start(self._write_due(), name="remember")

    async def _write_due(self) -> None:
        try:
            while self._due:
                next_at = self._written_at + TOGETHER_SECONDS
                await asyncio.sleep(max(BEHIND_SECONDS, next_at - _now()))
                self._written_at = _now()
                chats = list(itertools.islice(self._due, MOST_TOGETHER))
                await asyncio.gather(*(self._write(chat) for chat in chats))
        finally:
            self._idle.set()

    async def _write(self, chat: Chat) -> None:
        del self._due[chat]
        if untold := self._waiting.pop(chat, None):
            await self._append(chat, untold.notes)

    async def _write_overdue(self, now: float) -> None:
        for chat, untold in self._waiting.items():
            if untold.due <= now:
                self._write_soon(chat)
        await self._idle.wait()

    async def _append(self, chat: Chat, notes: Sequence[Forgotten]) -> None:
        """Into the cache while the document is being written."""
        self._held -= len(notes)
        if any(note.line.amends for note in notes):
            await self._amend(chat, notes)
            return
        lines = [note.line for note in notes]
        pushing = asyncio.ensure_future(self._cache.push(*chat, lines))
        written = await self._in_document(chat, notes)
        if not await pushing:
            await self._cache.push(*chat, lines)
        if written:
            self._finished(notes)

    async def _amend(self, chat: Chat, notes: Sequence[Forgotten]) -> None:
        """A line that was cached has another text now: the next turn reads the document."""
        written = await self._in_document(chat, notes)
        await self._cache.forget(*chat)
        if written:
            self._finished(notes)

    async def _in_document(self, chat: Chat, notes: Sequence[Forgotten]) -> bool:
        lines = [note.line for note in notes]
        late = any(note.late for note in notes)
        try:
            await self._conversations.append(
                chat[0], notes[-1].customer, lines, stage=_stage(notes), late=late
            )
        except (RetryLater, GiveUp) as error:
            log.warning("conversation not written yet", extra={"why": str(error)})
            return False
        return True

    def _finished(self, notes: Iterable[Forgotten]) -> None:
        now = _now()
        self._unmarked.extend((now, note) for note in notes)
        self._touched.set()

    async def _mark(self, inbox: Sequence[Written], outbox: Sequence[Written]) -> None:
        if not inbox and not outbox:
            return
        try:
            await self._desk.remembered(inbox, outbox)
        except RetryLater as error:
            log.warning("rows stay unmarked for the sweeper", extra={"why": str(error)})


def _awaits_reply(note: Forgotten) -> bool:
    return note.line.sender is Sender.CUSTOMER and not note.late


def _stage(notes: Sequence[Forgotten]) -> Stage | None:
    """Where our newest reply has led the customer; None: no reply of ours is among *notes*."""
    ours = (note.customer.stage for note in reversed(notes) if note.ledger == "outbox")
    return next(ours, None)


def _now() -> float:
    return asyncio.get_running_loop().time()
