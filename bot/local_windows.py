"""The rate limit's windows in this process alone: what counts while Redis is away."""

import time
from collections.abc import Callable
from dataclasses import dataclass

MOST_WINDOWS = 10_000
"""Held at once, about 2 MB; beyond it the oldest is forgotten, and its customer begins anew."""

Verdict = tuple[int, float | None]
"""As the scripts of `bot.rate_limit` answer: 0 within, 1 first over, 2 over; and until when it is
full, on the clock."""


@dataclass(slots=True)
class _Window:
    ends: float
    count: int = 0
    told: bool = False


class LocalWindows:
    """Counts as Redis would: windows of *seconds* that begin with their first message."""

    def __init__(
        self, *, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def count(self, key: str) -> Verdict:
        """Count one message."""
        window = self._alive(key) or self._begin(key, self._clock() + self._seconds)
        window.count += 1
        return self._verdict(window)

    def uncount(self, key: str, *, told: bool) -> None:
        """Take one back; *told*: it was the one that its customer would have been told of."""
        if window := self._alive(key):
            window.count = max(0, window.count - 1)
            window.told = window.told and not told

    def follow(self, former: str, key: str, *, told: bool) -> Verdict:
        """What was counted under *former* counts for *key*, whose newest message this is about."""
        moved = self._alive(former)
        if moved is None:
            moved = _Window(self._clock() + self._seconds)
        window = self._alive(key) or self._begin(key, moved.ends)
        self._windows.pop(former, None)
        window.count += moved.count
        window.told = (window.told or moved.told) and not told
        return self._verdict(window)

    def _begin(self, key: str, ends: float) -> _Window:
        while len(self._windows) >= MOST_WINDOWS:
            del self._windows[next(iter(self._windows))]
        window = self._windows[key] = _Window(ends)
        return window

    def _alive(self, key: str) -> _Window | None:
        window = self._windows.get(key)
        if window is not None and window.ends <= self._clock():
            del self._windows[key]
            return None
        return window

    def _verdict(self, window: _Window) -> Verdict:
        if window.count <= self._limit:
            return 0, window.ends if window.count == self._limit else None
        if window.told:
            return 2, window.ends
        window.told = True
        return 1, window.ends
