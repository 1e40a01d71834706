"""The way in of one company's messages: from the client's callback to intake, none lost.

The journal is the queue. Memory holds its next few messages, and the others are read back from the
disk when these are with intake: an outage of hours costs no memory.
"""

import asyncio
import logging
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from functools import partial

from bot.whatsapp.aside import Order, SetAside
from bot.whatsapp.events import MESSAGE, Ignored, MessageReader
from bot.whatsapp.journal import Journal, JournalFull
from bot.whatsapp.owner import OwnerHands
from bot.whatsapp.upcoming import Upcoming
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
        self._upcoming = Upcoming(journal)
        self._hands = OwnerHands()
        self._stuck: set[int] = set()
        self._own_ids: OrderedDict[str, None] = OrderedDict()
        self._leaving = threading.Event()

    @property
    def untaken(self) -> int:
        """How many messages intake has not got yet."""
        return self._journal.waiting - len(self._stuck)

    def hand(self, chat: str) -> OwnerHand:
        """The owner's doings in *chat*, without any waiting."""
        return self._hands.hand(chat)

    def sent(self, wa_id: str) -> None:
        """This id is ours, so its message is never the owner's."""
        self._own_ids[wa_id] = None
        if len(self._own_ids) > _OWN_IDS:
            self._own_ids.popitem(last=False)

    def replay(self) -> int:
        """Look at all that an earlier process left in the journal, and queue the first of it.

        How many messages that is; the owner's are known from now on, whichever are queued.
        """
        for event in self._journal.aside.events():
            self._hands.seen(self._owners_chats(event))
        aside = self._journal.aside.numbers()
        for entry in self._journal.entries():
            if entry.seq in aside:  # Killed before it was released.
                self._journal.release(entry.seq)
            else:
                self._queue_read(entry.code, entry.raw, entry.seq)
        self._journal.aside.order_upgraded()
        self.obey()
        return self.untaken

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
            message, chats = await self._upcoming.next()
            if await self._taken(message):
                self._journal.release(message.journal_seq)
                self._hands.settled(chats)
            if self._upcoming.taken(message):
                self._read_on()
            self._upcoming.settled()

    async def emptied(self, limit: float) -> None:
        """Wait until intake has all there is, at most *limit* seconds; the rest stays on disk."""
        try:
            async with asyncio.timeout(limit):  # wait_for would swallow a cancel at the end.
                await self._upcoming.used_up()
        except TimeoutError:
            log.warning("messages stay in the journal", extra={"count": self.untaken})

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
            kept = replace(message, journal_seq=seq)
            self._loop.call_soon_threadsafe(self._upcoming.put, kept, chats)
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

    def _read_on(self) -> None:
        """Queue the next ones of the journal: all before them are with intake."""
        self._upcoming.behind = False
        for entry in self._journal.entries():
            if entry.seq not in self._stuck:
                self._queue_read(entry.code, entry.raw, entry.seq, seen=True)
            if self._upcoming.behind:
                return

    def _queue_read(self, code: int, raw: bytes, seq: int, *, seen: bool = False) -> None:
        """Read a kept event and queue it; *seen*: it was read before, and the owner's hand marked.

        The ids of our own sends do not matter then: the mark it left must be settled.
        """
        try:
            read = self._read if not seen else partial(self._reader.read_any, now=self._now())
            message = read(code, raw, seq=seq)
            if isinstance(message, Ignored):
                self._journal.release(seq)
                return
            chats = self._chats(message, raw) if seen else self._mark_owner(message, raw)
        except _DEFECTS as error:
            self._set_aside(seq, error)
            return
        self._upcoming.put(message, chats)

    def _set_aside(self, seq: int, error: Exception) -> None:
        """Out of the way of those behind it. Where even that fails it stays in the journal."""
        why = type(error).__name__
        log.error("a message is set aside, see `lyrox aside`", exc_info=error, extra={"seq": seq})
        try:
            if entry := self._journal.find(seq):
                self._journal.aside.keep(entry, why=why, at=self._now())
        except OSError:
            log.exception("a message that cannot be set aside waits for the next start")
            self._stuck.add(seq)
            return
        self._journal.release(seq)

    def _read(self, code: int, raw: bytes, *, seq: int) -> InboundMessage | Ignored:
        message = self._reader.read_any(code, raw, seq=seq, now=self._now())
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
