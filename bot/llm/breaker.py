"""Leaves a failing target alone for a while, then lets one request find out how it is."""

from collections.abc import Callable


class Breaker:
    """Opens after *faults* in a row, for *cool_seconds*, doubling up to *longest_seconds*.

    Each permit carries the number of its era: what a request of an earlier era reports is
    ignored, so that stragglers neither close an open breaker nor lengthen its pause.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        faults: int = 5,
        cool_seconds: float = 10.0,
        longest_seconds: float = 300.0,
    ) -> None:
        self._clock = clock
        self._limit = faults
        self._first = cool_seconds
        self._longest = longest_seconds
        self._era = 0
        self._faults = 0
        self._pause = 0.0
        self._probe_at = 0.0
        self._probing = False

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``probing``."""
        if not self._pause:
            return "closed"
        return "probing" if self._probing else "open"

    def enter(self) -> int | None:
        """A permit for one request, or None while the target is left alone."""
        if not self._pause:
            return self._era
        if self._probing or self._clock() < self._probe_at:
            return None
        self._probing = True
        return self._era

    def succeeded(self, permit: int) -> None:
        """The request was answered."""
        if permit != self._era:
            return
        self._era += self._probing
        self._faults, self._pause, self._probing = 0, 0.0, False

    def failed(self, permit: int) -> None:
        """The request failed, and the target is to blame."""
        if permit != self._era:
            return
        self._faults += 1
        if not self._probing and self._faults < self._limit:
            return
        self._pause = min(2 * self._pause or self._first, self._longest)
        self._probe_at = self._clock() + self._pause
        self._era += 1
        self._probing = False

    def left(self, permit: int) -> None:
        """The request ended without saying anything about the target."""
        if permit == self._era:
            self._probing = False
