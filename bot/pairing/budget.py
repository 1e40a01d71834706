"""How often somebody may do something: so many times at once, and then now and then."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

_KEYS = 10_000


class Budget:
    """*burst* times at once, then once every *seconds*; keys seen longest ago are forgotten."""

    def __init__(
        self, burst: int, seconds: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = burst
        self._seconds = seconds
        self._clock = clock
        self._full: OrderedDict[Hashable, float] = OrderedDict()

    def spend(self, key: Hashable = "") -> float:
        """0 where it is allowed, else the seconds until it is."""
        now = self._clock()
        full = max(now, self._full.get(key, now))  # When nothing will be spent any more.
        wait = full - now - (self._burst - 1) * self._seconds
        if wait > 0:
            return wait
        self._full[key] = full + self._seconds
        self._full.move_to_end(key)
        while len(self._full) > _KEYS:
            self._full.popitem(last=False)
        return 0.0
