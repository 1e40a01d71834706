"""When a turn begins: one lane a chat that waits for quiet, and slots that bound turns at once."""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from bot.background import Background

Chat = tuple[UUID, UUID]
"""Company and customer: what a turn is about."""


HELD_SECONDS = 0.25
"""How often a chat that is held, or whose customer is typing, is looked at."""
WRITING_ON = 1.5
"""Who writes on while the answer is in the making pauses longer than we took them for.

In 6,000 patterns as ``tests/faults/test_bursts.py`` makes them it joins 3 more of 100.
"""


@dataclass(slots=True)
class _Waiting:
    last: float  # When it rings in any case.
    newest: str
    place: str
    timer: asyncio.TimerHandle


class Lanes:
    """Debounce: a chat rings once it was quiet for *quiet* seconds, or after *longest* at most.

    After a message that is complete in itself, *soon* seconds are enough, unless the customer
    writes on while an answer is in the making (`answered` ends that).
    While *held* says so of a chat, more of it is still on its way, however long it takes; while
    *typing* says so of a company and the place where it has its chat, within *longest* seconds.
    *ring* gets company, customer and the newest message id; what it raises is logged, and the
    sweeper rings again. *later* may take a ring over that would come too early.
    """

    def __init__(
        self,
        ring: Callable[[Chat, str], Awaitable[None]],
        background: Background,
        *,
        quiet: float,
        longest: float,
        soon: float | None = None,
        held: Callable[[Chat], bool] = lambda _: False,
        typing: Callable[[UUID, str], bool] = lambda *_: False,
        later: Callable[[Chat, str], bool] = lambda *_: False,
    ) -> None:
        self._ring = ring
        self._background = background
        self._quiet = quiet
        self._soon = quiet if soon is None else min(soon, quiet)
        self._longest = longest
        self._held = held
        self._typing = typing
        self._later = later
        self._waiting: dict[Chat, _Waiting] = {}
        self._making: dict[Chat, float] = {}

    def __contains__(self, chat: Chat) -> bool:
        return chat in self._waiting

    def wake(self, chat: Chat, message_id: str, *, complete: bool = False, place: str = "") -> None:
        """A message has arrived in *chat*: begin or lengthen its wait."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        waiting = self._waiting.get(chat)
        last = waiting.last if waiting else now + self._longest
        if waiting:
            waiting.timer.cancel()
        due = min(now + self._patience(chat, complete, now), last)
        self._waiting[chat] = _Waiting(last, message_id, place, loop.call_at(due, self._fire, chat))

    def answered(self, chat: Chat) -> None:
        """The answer in the making has left: what comes now begins something new."""
        self._making.pop(chat, None)

    def ring_now(self, chat: Chat, message_id: str) -> None:
        """Something waits in *chat* that no lane holds; a waiting lane is left alone.

        While *held* says so it is left to the sweep, which comes again.
        """
        if chat not in self._waiting and not self._held(chat):
            self._background.start(self._call(chat, message_id), name="ring")

    def close(self) -> None:
        """Forget all waits: their messages stay pending in the ledger."""
        for waiting in self._waiting.values():
            waiting.timer.cancel()
        self._waiting.clear()

    def _patience(self, chat: Chat, complete: bool, now: float) -> float:
        if now - self._making.get(chat, -math.inf) < self._longest:
            return self._quiet * WRITING_ON
        return self._soon if complete else self._quiet

    def _fire(self, chat: Chat) -> None:
        waiting, loop = self._waiting[chat], asyncio.get_running_loop()
        now = loop.time()
        typing = now < waiting.last and self._typing(chat[0], waiting.place)
        if typing or self._held(chat):
            waiting.timer = loop.call_later(HELD_SECONDS, self._fire, chat)
            return
        del self._waiting[chat]
        self._begin_making(chat, now)
        self._background.start(self._call(chat, waiting.newest), name="ring")

    def _begin_making(self, chat: Chat, now: float) -> None:
        """An answer takes less than *longest* as a rule; what takes more is forgotten here."""
        self._making.pop(chat, None)
        self._making[chat] = now
        while (oldest := next(iter(self._making.items())))[1] < now - self._longest:
            del self._making[oldest[0]]

    async def _call(self, chat: Chat, newest: str) -> None:
        if not self._later(chat, newest):
            await self._ring(chat, newest)


class Slots:
    """At most *per_host* turns at once, *per_company* of one company, fair between companies.

    A chat that is submitted again while it waits is one chat; while it runs, it runs once more.
    """

    def __init__(
        self,
        work: Callable[[Chat], Awaitable[None]],
        background: Background,
        *,
        per_company: int,
        per_host: int,
    ) -> None:
        self._work = work
        self._background = background
        self._per_company = per_company
        self._per_host = per_host
        self._waiting: dict[UUID, deque[Chat]] = {}
        self._queued: set[Chat] = set()
        self._running: set[Chat] = set()
        self._at_work: dict[UUID, int] = {}
        self._closed = False

    def __contains__(self, chat: Chat) -> bool:
        return chat in self._queued or chat in self._running

    @property
    def closed(self) -> bool:
        """Whether no more turns begin."""
        return self._closed

    @property
    def free(self) -> bool:
        """Whether a turn that is submitted now may begin at once."""
        return len(self._running) < self._per_host and not self._queued

    @property
    def running(self) -> list[Chat]:
        """Chats whose turn is at work in this process."""
        return list(self._running)

    def submit(self, chat: Chat) -> None:
        """Run a turn for *chat* as soon as there is room."""
        if self._closed or chat in self._queued:
            return
        self._queued.add(chat)
        self._waiting.setdefault(chat[0], deque()).append(chat)
        self._fill()

    def close(self) -> None:
        """Begin no more turns; those at work go on."""
        self._closed = True
        self._waiting.clear()
        self._queued.clear()

    def _fill(self) -> None:
        while len(self._running) < self._per_host and (chat := self._next()):
            self._queued.discard(chat)
            self._running.add(chat)
            self._at_work[chat[0]] = self._at_work.get(chat[0], 0) + 1
            self._background.start(self._run(chat), name="turn")

    def _next(self) -> Chat | None:
        """The oldest chat of the company whose turn it is; that company then goes last."""
        for company in list(self._waiting):
            if self._at_work.get(company, 0) >= self._per_company:
                continue
            queue = self._waiting[company]
            chat = next((chat for chat in queue if chat not in self._running), None)
            if chat is None:
                continue
            queue.remove(chat)
            del self._waiting[company]
            if queue:
                self._waiting[company] = queue
            return chat
        return None

    async def _run(self, chat: Chat) -> None:
        try:
            await self._work(chat)
        finally:
            self._running.discard(chat)
            self._at_work[chat[0]] -= 1
            if not self._at_work[chat[0]]:
                del self._at_work[chat[0]]
            self._fill()
