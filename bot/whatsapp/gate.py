"""Keeps calls into the client apart from its starts and stops.

The Go side keeps its sessions in plain maps without a lock: a call that reads them while a
session is being registered or removed ends the whole process. Starts and stops therefore take
turns, and no other call enters while one of them is at its maps.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

Result = TypeVar("Result")

_ENDED_LOOK = 0.5
"""How often, in seconds, who waits for the loop looks whether it still turns."""


class NotBegun(Exception):
    """A call that found no thread in time, or no loop; it never begins any more."""


def on_loop(question: Coroutine[Any, Any, Result], loop: asyncio.AbstractEventLoop) -> Result:
    """Ask *question* on *loop*, from another thread. Raises NotBegun where the loop has ended."""
    try:
        asked = asyncio.run_coroutine_threadsafe(question, loop)
    except RuntimeError:  # It is closed.
        question.close()
        raise NotBegun from None
    while not futures.wait([asked], timeout=_ENDED_LOOK).done:
        if loop.is_closed():
            question.close()
            raise NotBegun
    return asked.result()


class _Entry:
    """Whether a call has begun or was given up; only one of them happens."""

    def __init__(self) -> None:
        self._decided = threading.Lock()

    def begin(self) -> None:
        """Raises NotBegun where the call was given up."""
        if not self._decided.acquire(blocking=False):
            raise NotBegun

    def give_up(self) -> bool:
        """Whether the call had not begun, and never will."""
        return self._decided.acquire(blocking=False)


class Line:
    """Calls that take turns, on a thread of their own.

    So nobody has to be woken between two of them, which would wait for the interpreter once more.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="whatsapp-line")

    def submit(self, call: Callable[..., Result], /, *arguments: Any) -> "futures.Future[Result]":
        """Queue a call. Raises NotBegun once the line is closed."""
        try:
            return self._thread.submit(call, *arguments)
        except RuntimeError:
            raise NotBegun from None

    def close(self) -> None:
        """Take no more calls; those that were taken go on to their end."""
        self._thread.shutdown(wait=False)


class Gate:
    """A readers-writer gate with threads of its own, never the loop's default ones.

    A call reads the maps when it enters and may then wait for the network for a minute; the
    writer waits only until each running call is past its entry, never for its end. There is a
    thread for every call that the sessions of a process can have under way, so that silent
    companies never hold up the others; threads begin only as they are needed.
    """

    def __init__(self, *, workers: int = 512, entry_seconds: float = 0.1) -> None:
        self._entry_seconds = entry_seconds
        self._calls = ThreadPoolExecutor(workers, thread_name_prefix="whatsapp-call")
        self._turns = ThreadPoolExecutor(1, thread_name_prefix="whatsapp-turn")
        self._changed = threading.Condition()
        self._writing = False
        self._entered: dict[object, float] = {}

    async def call(
        self,
        function: Callable[[], Result],
        *,
        line: "Line | None" = None,
        first: Callable[[], None] = lambda: None,
        begin_limit: float | None = None,
    ) -> Result:
        """Run *function* on the reader side, on a thread of the gate.

        A call of a *line* comes after those before it have ended. *first* is called on the same
        thread before it enters, and may take its time. Raises NotBegun if *function* has not begun
        within *begin_limit* seconds; then it never does.
        """
        threads, entry = self._calls if line is None else line, _Entry()
        queued: futures.Future[Result] = threads.submit(self._in_turn, function, first, entry)
        call = asyncio.wrap_future(queued)
        if begin_limit is not None:
            done, _ = await asyncio.wait({call}, timeout=begin_limit)
            if not done and entry.give_up():
                call.cancel()
                raise NotBegun
        return await call

    async def alone(
        self, function: Callable[[], Result], over: threading.Event | None = None, *, limit: float
    ) -> Result:
        """Run *function* on the writer side and hold the gate until *over*, at most *limit* s."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._turns, self._write, function, over, limit)

    def close(self) -> None:
        """Take no more calls; running ones are left to end by themselves."""
        self._calls.shutdown(wait=False, cancel_futures=True)
        self._turns.shutdown(wait=False, cancel_futures=True)

    def _in_turn(
        self, function: Callable[[], Result], first: Callable[[], None], entry: _Entry
    ) -> Result:
        first()
        return self._read(function, entry)

    def _read(self, function: Callable[[], Result], entry: _Entry) -> Result:
        token = object()
        with self._changed:
            while self._writing:
                self._changed.wait()
            self._entered[token] = time.monotonic()
        try:
            entry.begin()
            return function()
        finally:
            with self._changed:
                del self._entered[token]
                self._changed.notify_all()

    def _write(
        self, function: Callable[[], Result], over: threading.Event | None, limit: float
    ) -> Result:
        with self._writer():
            result = function()
            if over is not None:
                over.wait(limit)
            return result

    @contextmanager
    def _writer(self) -> Iterator[None]:
        with self._changed:
            self._writing = True
            while (wait := self._longest_entry()) > 0:
                self._changed.wait(wait)
        try:
            yield
        finally:
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def _longest_entry(self) -> float:
        youngest = max(self._entered.values(), default=float("-inf"))
        return youngest + self._entry_seconds - time.monotonic()
