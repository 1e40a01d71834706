"""Whether what WhatsApp kept for us while we were away has been read: until then nothing is sent.

After each login WhatsApp delivers what came meanwhile, the owner's own messages too, and says when
that was all. The client may pass this word on before its own "connected".
"""

from collections.abc import Callable

CONNECTED, DISCONNECTED, COMPLETED = 3, 12, 27
"""The client's codes for a login, a lost line, and the end of the queue (OfflineSyncCompleted)."""

QUIET_SECONDS = 10.0
"""So long after the login without any message, the queue counts as read.

Only where WhatsApp never says that it is over, so patience costs little.
"""
LONGEST_SECONDS = 60.0
"""So long after the login it counts as read in any case."""


class OfflineQueue:
    """One session's queue; *untaken* says how many messages are read that intake has not got.

    *clock* is in seconds. `message` may be called from any thread, the rest from the loop's.
    ``logins`` changes with every login and every lost line.
    """

    def __init__(self, clock: Callable[[], float], untaken: Callable[[], int]) -> None:
        self._clock = clock
        self._untaken = untaken
        self._login: float | None = None
        self._message = 0.0
        self._completed = False
        self._announced = False
        self._read = False
        self.logins = 0

    @property
    def read(self) -> bool:
        """Whether all of it has come and is with intake, since the last login."""
        if not self._read and self._login is not None:
            self._read = self._is_over(self._login) and not self._untaken()
        return self._read

    def message(self) -> None:
        """A message has come."""
        self._message = self._clock()

    def follow(self, code: int) -> None:
        """Any other event has come."""
        if code == COMPLETED and self._login is not None and not self._completed:
            self._completed = True
        elif code == COMPLETED:  # Of a line whose "connected" is yet to come.
            self._announced = True
        elif code == CONNECTED:
            self._begin(self._clock(), completed=self._announced)
        elif code == DISCONNECTED:
            self._begin(None, completed=False)

    def _begin(self, login: float | None, *, completed: bool) -> None:
        self._login, self._completed = login, completed
        self.logins += 1
        self._announced = self._read = False

    def _is_over(self, login: float) -> bool:
        now = self._clock()
        quiet = now - max(login, self._message)
        return self._completed or quiet >= QUIET_SECONDS or now - login >= LONGEST_SECONDS
