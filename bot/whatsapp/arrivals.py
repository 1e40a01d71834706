"""The way in of one company's messages: from the client's callback to intake, none lost."""

import asyncio
import logging
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from bot.whatsapp.aside import Order, SetAside
from bot.whatsapp.events import CALL_OFFER, CALLS, MESSAGE, Ignored, MessageReader
from bot.whatsapp.journal import Journal, JournalFull
from bot.whatsapp.owner import OwnerHands
from bot.wire import OwnerHand
from models.errors import GiveUp, RetryLater, Unavailable
from models.values import InboundMessage, Sender

log = logging.getLogger(__name__)

_OWN_IDS = 1000
_TRIES = 3
_REMIND = 60

_DEFECTS = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError),
    *(RuntimeError, TypeError, ValueError),
)
"""What reading an event raises where that is a defect of ours; its bytes are in no doubt."""

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
        for event in self._journal.aside.events():
            self._hands.seen(self._owners_chats(event))
        for entry in self._journal.leftovers():
            if self._journal.aside.holds(entry.seq):  # Killed before it was released.
                self._journal.release(entry.seq)
            else:
                self._queue_read(entry.code, entry.raw, entry.seq)
        self._journal.aside.order_upgraded()
        self.obey()
        return self._queue.qsize()

    def obey(self) -> None:
        """Do what was ordered for events that are set aside."""
        for event in self._journal.aside.ordered():
            chats = self._owners_chats(event)
            if event.file.suffix == Order.DROP:
                self._hands.settled(chats)
            else:
                try:
                    seq = self._journal.append(event.entry.code, event.entry.raw)
                except OSError as error:
                    log.warning("no room to take it in again", extra={"why": str(error)})
                    return
                self._queue_read(event.entry.code, event.entry.raw, seq, seen=True)
            event.file.unlink(missing_ok=True)

    async def hand_over(self) -> None:
        """Give every message to intake, in journal order, until cancelled."""
        while True:
            message, chats = await self._queue.get()
            self._in_hand = 1
            if await self._taken(message):
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
        try:
            message = self._read(code, raw, seq=0)
            if isinstance(message, Ignored):
                log.debug("a message is none of ours", extra={"reason": message.reason})
                return
            chats = self._mark_owner(message, raw)
        except _DEFECTS as error:
            if (seq := self._append(code, raw)) is not None:
                self._set_aside(seq, error)
            return
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
        seconds = 0
        while True:
            try:
                return self._journal.append(code, raw)
            except OSError as error:
                if seconds % _REMIND == 0:
                    log.error(_no_room(error), extra={"error": str(error)})  # noqa: TRY400 - No defect.
                seconds += 1
                if self._leaving.wait(1.0):
                    return None

    def _queue_read(self, code: int, raw: bytes, seq: int, *, seen: bool = False) -> None:
        """Read a kept event and queue it; *seen*: the owner's hand is marked already."""
        try:
            message = self._read(code, raw, seq=seq)
            if isinstance(message, Ignored):
                self._journal.release(seq)
                return
            chats = self._chats(message, raw) if seen else self._mark_owner(message, raw)
        except _DEFECTS as error:
            self._set_aside(seq, error)
            return
        self._queue.put_nowait((message, chats))

    def _set_aside(self, seq: int, error: Exception) -> None:
        """Out of the way of those behind it. Where even that fails it stays in the journal."""
        why = type(error).__name__
        log.error("a message is set aside, see `lyrox aside`", exc_info=error, extra={"seq": seq})
        try:
            if entry := self._journal.find(seq):
                self._journal.aside.keep(entry, why=why, at=self._now())
        except OSError:
            log.exception("a message that cannot be set aside waits for the next start")
            return
        self._journal.release(seq)

    def _read(self, code: int, raw: bytes, *, seq: int) -> InboundMessage | Ignored:
        if code == CALL_OFFER:
            return self._reader.read_call(raw, seq=seq, now=self._now())
        if code in CALLS:
            return self._reader.read_call_end(raw, code=code, seq=seq, now=self._now())
        message = self._reader.read(raw, seq=seq, now=self._now())
        if isinstance(message, InboundMessage) and message.wa_id in self._own_ids:
            return Ignored("own_send")
        return message

    def _mark_owner(self, message: InboundMessage, raw: bytes) -> tuple[str, ...]:
        chats = self._chats(message, raw)
        self._hands.seen(chats)
        return chats

    def _chats(self, message: InboundMessage, raw: bytes) -> tuple[str, ...]:
        """Where the owner wrote it; of a customer's message, nowhere."""
        return self._reader.chats(raw) if message.sender is Sender.OWNER else ()

    def _owners_chats(self, event: SetAside) -> tuple[str, ...]:
        """The chats that an event set aside keeps silent, as far as it can be read."""
        try:
            message = self._read(event.entry.code, event.entry.raw, seq=0)
            return () if isinstance(message, Ignored) else self._chats(message, event.entry.raw)
        except _DEFECTS:
            return ()

    async def _taken(self, message: InboundMessage) -> bool:
        """True once it is stored; False when it is set aside."""
        attempt = faults = 0
        while True:
            try:
                await self._accept(message)
                return True
            except (RetryLater, Unavailable) as error:
                log.warning("a message waits for its store", extra={"error": str(error)})
            except Exception as error:
                faults += 1
                if faults >= _TRIES or isinstance(error, GiveUp):
                    self._set_aside(message.journal_seq, error)
                    return False
                log.exception("a message cannot be stored", extra={"wa_id": message.wa_id})
            await asyncio.sleep(self._patience(attempt))
            attempt += 1


def _no_room(error: OSError) -> str:
    if isinstance(error, JournalFull):
        return "the journal holds all it may; WhatsApp keeps the rest until PostgreSQL takes some"
    return "the journal cannot be written; free disk space"
