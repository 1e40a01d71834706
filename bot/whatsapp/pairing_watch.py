"""What the client says during a pairing, turned into futures; and the messages of that time."""

import asyncio
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bot.whatsapp import library
from bot.whatsapp.callbacks import CONNECTED, PAIR_STATUS
from bot.whatsapp.events import MESSAGE
from bot.whatsapp.journal import Journal
from bot.whatsapp.states import Reason

FIRST_CODE, NEXT_CODE = 60.0, 20.0
"""Seconds that a code is good for; WhatsApp allows six."""
LIFE = FIRST_CODE + 5 * NEXT_CODE
"""How long the client waits for a phone, once it has shown the first code."""

Value = TypeVar("Value")

_SUCCESS = "success"
# The client's words for the end of a pairing.
STATUS = {
    "timeout": "expired",
    "error": "refused",
    "passkey-request": Reason.PASSKEY.value,
    "err-client-outdated": Reason.OUTDATED.value,
    "err-unexpected-state": Reason.FAULT.value,
    "err-scanned-without-multidevice": "refused",
}


class PairingFailed(Exception):
    """The word for those who follow, and what was seen."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class Watch:
    """The client's observer: ``shown``, then ``scanned`` with the device's number, ``connected``.

    *say_code* is told each code and its seconds, on the loop.
    """

    def __init__(
        self, protos: library.Protos, say_code: Callable[[str, float], None], post: "Post"
    ) -> None:
        self._protos = protos
        self._say_code = say_code
        self._post = post
        self._loop = asyncio.get_running_loop()
        self._codes = 0
        self.shown: asyncio.Future[float] = self._loop.create_future()
        self.scanned: asyncio.Future[str] = self._loop.create_future()
        self.connected: asyncio.Future[None] = self._loop.create_future()

    def on_code(self, code: str) -> None:
        """A code to scan; the first one lives longer."""
        self._codes += 1
        life = FIRST_CODE if self._codes == 1 else NEXT_CODE

        def show() -> None:
            self._say_code(code, life)
            _settle(self.shown, self._loop.time())

        self._loop.call_soon_threadsafe(show)

    def on_login(self, status: str) -> None:
        """The end of the scanning."""
        if status != _SUCCESS:
            self._fail(PairingFailed(STATUS.get(status, "refused"), status))

    def on_event(self, code: int, raw: bytes) -> None:
        """Paired, connected, and what customers write from then on."""
        if code == PAIR_STATUS:
            self._paired(raw)
        elif code == CONNECTED:
            self._loop.call_soon_threadsafe(_settle, self.connected, None)
        elif code == MESSAGE:
            self._post.take(raw)

    def on_end(self, error: str) -> None:
        """The client gave up before any scan."""
        reason = Reason.UNREACHABLE if "dial" in error else Reason.FAULT
        self._fail(PairingFailed(reason.value, error))

    def _paired(self, raw: bytes) -> None:
        event = self._protos.events.PairStatus.FromString(raw)
        if event.Status != self._protos.events.PairStatus.SUCCESS:
            self._fail(PairingFailed("refused", event.Error))
            return
        self._loop.call_soon_threadsafe(_settle, self.scanned, f"+{event.ID.User}")

    def _fail(self, error: PairingFailed) -> None:
        def fail() -> None:
            for future in (self.shown, self.scanned):
                if not future.done():
                    future.set_exception(error)
                    future.exception()  # Whoever does not wait for it need not be told.

        self._loop.call_soon_threadsafe(fail)


class Post:
    """What arrives before the daemon takes the session over.

    In memory while it is undecided whether this phone is the company's at all, for another one's
    customers are none of its business; then in the journal, as later.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[bytes] = []
        self._journal: Journal | None = None

    def take(self, raw: bytes) -> None:
        """A message; called on the client's thread, which waits for the disk."""
        with self._lock:
            if self._journal is None:
                self._held.append(raw)
            else:
                self._journal.append(MESSAGE, raw)

    def keep(self, folder: Path) -> None:
        """The phone is the company's: everything goes into its journal."""
        with self._lock:
            # Nobody waits for room here, and these are the messages of seconds.
            self._journal = Journal(folder, most_bytes=sys.maxsize, most_entries=sys.maxsize)
            for raw in self._held:
                self._journal.append(MESSAGE, raw)


def _settle(future: "asyncio.Future[Value]", value: Value) -> None:
    if not future.done():
        future.set_result(value)
