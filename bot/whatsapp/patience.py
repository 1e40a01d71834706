"""How long a host waits before it tries a company's WhatsApp again."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime

from bot.whatsapp.reach import backoff
from bot.whatsapp.states import Reason, State, WayOut

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Patience:
    """All in seconds: short enough to come back soon, long enough not to make a ban worse.

    ``connect`` is how long a start may take until its login, ``reconnect`` how long a lost line is
    left to the client, which itself waits ever longer. A back-off grows from ``first`` to
    ``longest``. ``rare`` lies between single tries where somebody else holds the session,
    ``ban`` is the least after a suspension, and ``endless_ban`` after one without a known end.
    A company whose starts seem to end the process waits from ``suspect`` to ``longest_suspect``.
    Every start leaks, so after ``hourly`` of them in an hour each waits for the longest pause.
    """

    connect: float = 60.0
    reconnect: float = 300.0
    first: float = 2.0
    longest: float = 300.0
    rare: float = 900.0
    ban: float = 60.0
    endless_ban: float = 3600.0
    suspect: float = 30.0
    longest_suspect: float = 3600.0
    hourly: int = 20

    def retries(self, state: State) -> bool:
        """Whether a session that ended so is begun again without anybody's help."""
        ways = (WayOut.BACK_OFF, WayOut.NOW_AND_THEN, WayOut.WHEN_OVER)
        return state.meaning.way_out in ways

    def before_next(self, state: State, attempt: int, now: datetime) -> float | None:
        """The pause before try *attempt* (from 0), or None where somebody must act first."""
        match state.meaning.way_out:
            case WayOut.OWNER_PAIRS | WayOut.OPERATOR_ACTS:
                return None
            case WayOut.NOW_AND_THEN:
                return self.rare
            case WayOut.WHEN_OVER:
                return self._ban(state.until, now) + backoff(0, first=self.first)
            case _:
                return backoff(attempt, first=self.first, longest=self.longest)

    def _ban(self, until: datetime | None, now: datetime) -> float:
        if until is None:
            return self.endless_ban
        return max(self.ban, (until - now).total_seconds())


PATIENCE = Patience()
"""What the daemon uses."""

RETRIED = tuple(reason for reason in Reason if PATIENCE.retries(State(reason)))
"""The reasons after which a session begins again by itself."""


class Starts:
    """The starts of one company's client in the last hour; times are of a monotonic clock."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._times: deque[float] = deque(maxlen=patience.hourly)

    def note(self, now: float) -> None:
        """The client was started."""
        self._times.append(now)

    def pause(self, planned: float, now: float) -> float:
        """The *planned* pause, or the longest where the hour has seen its starts."""
        full = len(self._times) == self._times.maxlen and now - self._times[0] < _HOUR
        return max(planned, backoff(16, longest=self._patience.longest)) if full else planned
