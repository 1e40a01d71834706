"""What the client says of one company, on threads of its own: made safe, and passed on."""

import ctypes
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from bot.whatsapp.library import Library

log = logging.getLogger(__name__)

REGISTERED, PAIR_STATUS, CONNECTED = 0, 2, 3
# Only what moves the state, messages, the begin and end of calls (36, 37, 42) and the end of the
# offline queue (27). Of these last the client sets every field; an unknown receipt or history field
# would end the client's event loop while it goes on acknowledging messages.
SUBSCRIBED = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 17, 27, 36, 37, 42)

# After this stream error the client comes back once; of a failure there is no event but this line.
GAVE_UP = "Failed to reconnect after 515 code"


class Observer(Protocol):
    """Who is told what happens; every call comes on a thread of the client's, and may block."""

    def on_event(self, code: int, raw: bytes) -> None:
        """An event; for a message, return only when it is kept."""

    def on_code(self, _code: str, /) -> None:
        """A pairing code to show."""

    def on_login(self, _status: str, /) -> None:
        """How a pairing ended, in the client's word."""

    def on_end(self, error: str) -> None:
        """The client has given up, or its thread has ended: the line does not come back."""


class _Nobody:
    """Hears what comes after the end."""

    def on_event(self, code: int, raw: bytes) -> None: ...
    def on_code(self, _code: str, /) -> None: ...
    def on_login(self, _status: str, /) -> None: ...
    def on_end(self, error: str) -> None: ...


class Callbacks:
    """The four C functions the client calls, kept for as long as the process lives.

    ``placed`` is set once the client has written its maps; ``registered`` once it knows the
    company; ``last`` is when it spoke last.
    """

    def __init__(self, library: Library, company: str, observer: Observer) -> None:
        self._entry = library.protos.events.LogEntry
        self._company = company
        self._observer: Observer = observer
        self.placed = threading.Event()
        self.registered = False
        self.last = time.monotonic()
        self.as_c = (
            library.text_callback(lambda _, data: self._guarded(self._code, data)),
            library.text_callback(lambda _, data: self._guarded(self._login, data)),
            library.event_callback(
                lambda _, data, size, code: self._guarded(self._event, data, size, code)
            ),
            library.log_callback(lambda data, size: self._guarded(self._log, data, size)),
        )
        library.kept.append(self.as_c)

    def end(self, error: str) -> None:
        """Tell the observer that nothing more comes, and let go of it."""
        observer, self._observer = self._observer, _Nobody()
        self.placed.set()
        observer.on_end(error)

    def _guarded(self, step: Callable[..., None], *arguments: Any) -> None:
        """Nothing may be raised into the client: it would drop the event without a word."""
        try:
            step(*arguments)
        except BaseException:
            log.exception("a WhatsApp callback failed")
        finally:
            self.last = time.monotonic()

    def _code(self, data: int) -> None:
        self.placed.set()
        self._observer.on_code(ctypes.string_at(data).decode())

    def _login(self, data: int) -> None:
        self.placed.set()
        self._observer.on_login(ctypes.string_at(data).decode(errors="replace"))

    def _event(self, data: int | None, size: int, code: int) -> None:
        raw = ctypes.string_at(data, size) if data and size > 0 else b""
        self.last = time.monotonic()
        if code == REGISTERED:
            self.registered = True
            self.placed.set()
        self._observer.on_event(code, raw)

    def _log(self, data: int, size: int) -> None:
        entry = self._entry.FromString(ctypes.string_at(data, size))
        level = logging.ERROR if entry.Level == "ERROR" else logging.WARNING
        log.log(level, "whatsmeow: %s", entry.Message, extra={"company": self._company})
        if entry.Message.startswith(GAVE_UP):
            self._observer.on_end(entry.Message)
