"""What was said before a turn: from the cache, the conversation document, else the ledger."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.context_cache import ContextCache, Miss
from bot.lanes import Chat
from models.conversations import Conversations
from models.errors import GiveUp, RetryLater
from models.ledger import Ledger
from models.values import Line, Turn

log = logging.getLogger(__name__)

HISTORY_LINES = 20
"""The document: the last 20 messages."""

FRESH_SECONDS = 0.5
"""How old a reading may be. Shorter than `Memory` waits before it marks a row, so that what is
missing here still counts as unremembered in the ledger."""

MOST_AHEAD = 1000

Reading = asyncio.Task[Sequence[Line]]


class Recall:
    """Reads the last lines of a chat, while its turn is still on its way where one says so."""

    def __init__(self, cache: ContextCache, conversations: Conversations, ledger: Ledger) -> None:
        self._cache = cache
        self._conversations = conversations
        self._ledger = ledger
        self._ahead: dict[Chat, tuple[float, Reading]] = {}

    def begin(self, chat: Chat) -> None:
        """A turn of *chat* is about to begin here: read now, to save it a wait."""
        self._drop(chat)
        while len(self._ahead) >= MOST_AHEAD:
            self._drop(next(iter(self._ahead)))
        loop = asyncio.get_running_loop()
        self._ahead[chat] = (loop.time(), loop.create_task(self._read(chat), name="recall"))

    def lines(self, chat: Chat) -> Reading:
        """The newest lines, oldest first; none while no store tells them, and never an error."""
        began, reading = self._ahead.pop(chat, (0.0, None))
        loop = asyncio.get_running_loop()
        if reading is not None and loop.time() - began <= FRESH_SECONDS:
            return reading
        return loop.create_task(self._read(chat), name="recall")

    async def nobody_replies(self, chat: Chat) -> None:
        """No reply of ours will carry what was read into the cache."""
        await self._cache.fill_held(*chat)

    async def _read(self, chat: Chat) -> Sequence[Line]:
        loaded = await self._cache.load(*chat)
        if not isinstance(loaded, Miss):
            return loaded
        lines, whole = await self._asked(chat)
        if loaded.token is not None and whole:
            self._cache.hold(*chat, loaded.token, lines)
        return lines

    async def _asked(self, chat: Chat) -> tuple[Sequence[Line], bool]:
        """The lines, and whether there can be none before them that belong into the cache."""
        try:
            return await self._conversations.last(*chat, HISTORY_LINES), True
        except (RetryLater, GiveUp) as error:
            log.warning("a turn reads its history in the ledger", extra={"why": str(error)})
        try:
            lines = await self._ledger.history(*chat, HISTORY_LINES)
        except RetryLater as error:
            log.warning("history is missing from a turn", extra={"why": str(error)})
            return (), False
        return lines, len(lines) >= HISTORY_LINES  # Older ones may be in the document alone.

    def _drop(self, chat: Chat) -> None:
        _, reading = self._ahead.pop(chat, (0.0, None))
        if reading is not None:
            reading.cancel()


def with_history(turn: Turn, lines: Sequence[Line], unremembered: Sequence[Line]) -> Turn:
    """The turn with its chat's newest lines, those that only the ledger has among them."""
    asked = {line.id for line in turn.messages}
    known = {line.id: line for line in (*lines, *unremembered) if line.id not in asked}
    history = sorted(known.values(), key=_by_time)[-HISTORY_LINES:]
    return replace(turn, history=tuple(history))


def _by_time(line: Line) -> tuple[datetime, str]:
    return line.at, line.id
