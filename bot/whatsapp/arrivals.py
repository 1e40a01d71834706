"""The way in of one company's messages: from the client's callback to intake, none lost."""

import asyncio
import logging
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from bot.whatsapp.events import CALL_OFFER, MESSAGE, Ignored, MessageReader
from bot.whatsapp.journal import Journal
from bot.whatsapp.owner import OwnerHands
from bot.wire import OwnerHand
from models.errors import RetryLater, Unavailable
from models.values import InboundMessage, Sender

log = logging.getLogger(__name__)

_OWN_IDS = 1000
_TRIES = 5

Accept = Callable[[InboundMessage], Awaitable[None]]


class Arrivals:
    """Keeps each message on the disk before the client goes on, and hands them over in order."""

    def __init__(
        self,
        journal: Journal,
        reader: MessageReader,
        *,
        accept: Accept,
        now: Callable[[], datetime],
        patience: Callable[[int], float],
    ) -> None:
        self._journal = journal
        self._reader = reader
        self._accept = accept
        self._now = now
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[tuple[InboundMessage, tuple[str, ...]]] = asyncio.Queue()
        self._hands = OwnerHands()
        self._in_hand = 0
        self._own_ids: OrderedDict[str, None] = OrderedDict()
        self._leaving = threading.Event()

    @property
    def untaken(self) -> int:
        """How many messages intake has not got yet."""
        return self._queue.qsize() + self._in_hand

    def hand(self, chat: str) -> OwnerHand:
        """The owner's doings in *chat*, without any waiting."""
        return self._hands.hand(chat)

    def sent(self, wa_id: str) -> None:
        """This id is ours, so its message is never the owner's."""
        self._own_ids[wa_id] = None
        if len(self._own_ids) > _OWN_IDS:
            self._own_ids.popitem(last=False)

    def replay(self) -> int:
        """Queue what an earlier process left in the journal; how many messages that is."""
        for entry in self._journal.leftovers():
            message = self._read(entry.code, entry.raw, seq=entry.seq)
            if isinstance(message, Ignored):
                self._journal.release(entry.seq)
                continue
            self._queue.put_nowait((message, self._mark_owner(message, entry.raw)))
        return self._queue.qsize()

    async def hand_over(self) -> None:
        """Give every message to intake, in journal order, until cancelled."""
        while True:
            message, chats = await self._queue.get()
            self._in_hand = 1
            if await self._accepted(message):
                self._journal.release(message.journal_seq)
                self._hands.settled(chats)
            self._in_hand = 0
            self._queue.task_done()

    async def emptied(self, limit: float) -> None:
        """Wait until intake has all there is, at most *limit* seconds; the rest stays on disk."""
        try:
            async with asyncio.timeout(limit):  # wait_for would swallow a cancel at the end.
                await self._queue.join()
        except TimeoutError:
            log.warning("messages stay in the journal", extra={"count": self._queue.qsize()})

    def keep(self, raw: bytes, code: int = MESSAGE) -> None:
        """Called on the client's thread; the message (or call) is on the disk when this returns."""
        message = self._read(code, raw, seq=0)
        if isinstance(message, Ignored):
            log.debug("a message is none of ours", extra={"reason": message.reason})
            return
        chats = self._mark_owner(message, raw)
        seq = self._append(code, raw)
        if seq is None:
            return
        try:
            kept = (replace(message, journal_seq=seq), chats)
            self._loop.call_soon_threadsafe(self._queue.put_nowait, kept)
        except RuntimeError:
            log.info("a message came while closing; the journal keeps it for the next start")

    def leave(self) -> None:
        """Wait for the disk no longer; called when the connection is gone."""
        self._leaving.set()

    def _append(self, code: int, raw: bytes) -> int | None:
        """Blocking here makes WhatsApp keep what follows, so a full disk loses nothing."""
        while True:
            try:
                return self._journal.append(code, raw)
            except OSError:
                log.exception("the journal cannot be written; free disk space")
                if self._leaving.wait(1.0):
                    return None

    def _read(self, code: int, raw: bytes, *, seq: int) -> InboundMessage | Ignored:
        if code == CALL_OFFER:
            return self._reader.read_call(raw, seq=seq, now=self._now())
        message = self._reader.read(raw, seq=seq, now=self._now())
        if isinstance(message, InboundMessage) and message.wa_id in self._own_ids:
            return Ignored("own_send")
        return message

    def _mark_owner(self, message: InboundMessage, raw: bytes) -> tuple[str, ...]:
        if message.sender is not Sender.OWNER:
            return ()
        chats = self._reader.chats(raw)
        self._hands.seen(chats)
        return chats

    async def _accepted(self, message: InboundMessage) -> bool:
        """True once stored; False leaves it in the journal for the next start."""
        attempt = faults = 0
        while faults < _TRIES:
            try:
                await self._accept(message)
                return True
            except (RetryLater, Unavailable) as error:
                log.warning("a message waits for its store", extra={"error": str(error)})
            except Exception:
                faults += 1
                log.exception("a message cannot be stored", extra={"wa_id": message.wa_id})
            await asyncio.sleep(self._patience(attempt))
            attempt += 1
        return False
