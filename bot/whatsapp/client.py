"""One company's connection inside the client: its thread, its callbacks, its few calls."""

import asyncio
import contextlib
import ctypes
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote
from uuid import UUID

from bot.whatsapp.gate import Gate, NotBegun
from bot.whatsapp.identity import jid_parts
from bot.whatsapp.library import Library
from bot.wire import NotSent, Unconfirmed
from models.errors import GiveUp

log = logging.getLogger(__name__)
Result = TypeVar("Result")

REGISTERED, PAIR_STATUS, CONNECTED = 0, 2, 3
# Only what moves the state, and messages: an unknown receipt or history field would end the
# client's event loop while it goes on acknowledging messages.
SUBSCRIBED = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 17)

_QUEUE_LIMIT = 80.0
# The client waits up to 75 s for each of the person's devices, their keys and the ack. Until its
# call has returned a send may still leave, so it must not be judged earlier.
_SEND_LIMIT = 240.0
_REGISTER_LIMIT = 5.0
_NEVER_LEFT = ("websocket not connected", "client is nil")
_REFUSED = ("server returned error 463", "server returned error 479", "no LID found for")


class Observer(Protocol):
    """Who is told what happens; every call comes on a thread of the client's, and may block."""

    def on_event(self, code: int, raw: bytes) -> None:
        """An event; for a message, return only when it is kept."""

    def on_code(self, _code: str, /) -> None:
        """A pairing code to show."""

    def on_login(self, _status: str, /) -> None:
        """How a pairing ended, in the client's word."""

    def on_end(self, error: str) -> None:
        """The connection's thread has ended; nothing more will come."""


def _heard(call: "asyncio.Future[bytes]") -> None:
    """Whoever asked may have left; the error is theirs no more."""
    if not call.cancelled():
        call.exception()


class Client:
    """One registration of one company with the client; used once, from start to stop."""

    def __init__(
        self,
        library: Library,
        gate: Gate,
        *,
        company_id: UUID,
        session: Path,
        device_name: str,
        observer: Observer,
        subscribed: tuple[int, ...] = SUBSCRIBED,
    ) -> None:
        self._library = library
        self._gate = gate
        self._uuid = str(company_id).encode()
        self._session = session
        self._device_name = device_name
        self._observer = observer
        self._subscribed = bytes(subscribed)
        self._registered = False
        self._stopping = False
        self._placed = threading.Event()  # The client's maps are written by now.
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._last_callback = time.monotonic()
        self._callbacks = self._make_callbacks()

    async def start(self) -> None:
        """Begin to connect; returns when the client knows the company, or has given up."""
        thread = threading.Thread(target=self._live, name=f"whatsapp-{self._uuid.decode()[:8]}")
        thread.daemon = True
        await self._gate.alone(thread.start, self._placed, limit=_REGISTER_LIMIT)

    async def send(self, chat: str, text: str, secret: bytes) -> str:
        """Send *text* and return its WhatsApp id. Raises NotSent, Unconfirmed or GiveUp."""
        message = self._library.protos.e2e.Message(conversation=text)
        message.messageContextInfo.messageSecret = secret
        body, to = message.SerializeToString(), self._jid(chat)
        code = self._library.code
        call = asyncio.ensure_future(
            self._gate.call(
                self._allowed(lambda: code.SendMessage(self._uuid, to, len(to), body, len(body))),
                begin_limit=_QUEUE_LIMIT,
            )
        )
        call.add_done_callback(_heard)
        done, _ = await asyncio.wait({call}, timeout=_SEND_LIMIT)
        if not done:
            raise Unconfirmed("WhatsApp did not answer in time")
        try:
            return self._sent_id(call.result())
        except NotBegun:
            raise NotSent("no thread was free for it in time") from None

    async def typing(self, chat: str, on: bool) -> None:
        """Show or hide that an answer is being written. Raises NotSent."""
        to = self._jid(chat)
        code = self._library.code
        error = await self._gate.call(
            self._allowed(lambda: code.SendChatPresence(self._uuid, to, len(to), 0 if on else 1, 0))
        )
        if error:
            raise NotSent(error.decode(errors="replace"))

    async def stop(self, *, quiet: float = 0.15, limit: float = 3.0) -> None:
        """Disconnect, let what is on its way arrive, and end; each step is bounded."""
        code = self._library.code
        with contextlib.suppress(NotSent):
            await self._gate.call(self._allowed(lambda: code.Disconnect(self._uuid)))
            await self._quiet(quiet, limit)
        await self._gate.alone(self._stop, limit=0)
        try:
            await asyncio.wait_for(self._over.wait(), limit)
        except TimeoutError:
            log.warning("a WhatsApp thread did not end", extra={"company": self._uuid.decode()})

    async def _quiet(self, quiet: float, limit: float) -> None:
        """Twice *quiet* seconds without a callback: by then the client's channel is empty."""
        deadline = time.monotonic() + limit
        left = quiet
        while left > 0:
            await asyncio.sleep(left)
            left = min(deadline, self._last_callback + 2 * quiet) - time.monotonic()

    def _stop(self) -> None:
        self._stopping = True
        self._library.code.Stop(self._uuid)

    def _allowed(self, call: Callable[[], Result]) -> Callable[[], Result]:
        """Some calls end the process when the client does not know the company."""

        def checked() -> Result:
            if not self._registered or self._stopping:
                raise NotSent("the WhatsApp session is not connected")
            return call()

        return checked

    def _sent_id(self, raw: bytes) -> str:
        answer = self._library.protos.events.SendMessageReturnFunction.FromString(raw)
        error = answer.Error
        if not error:
            return str(answer.SendResponse.ID)
        if any(words in error for words in _NEVER_LEFT):
            raise NotSent(error)
        if any(words in error for words in _REFUSED):
            raise GiveUp(f"WhatsApp refused the message: {error}")
        raise Unconfirmed(error)

    def _jid(self, chat: str) -> bytes:
        user, server = jid_parts(chat)
        jid = self._library.protos.events.JID(
            User=user, Server=server, RawAgent=0, Device=0, Integrator=0, IsEmpty=False
        )
        return bytes(jid.SerializeToString())

    def _live(self) -> None:
        """The connection's whole life; the client's call returns only when it is over."""
        error = ""
        try:
            error = self._connect()
        finally:
            self._placed.set()
            self._observer.on_end(error)
            with contextlib.suppress(RuntimeError):  # The loop may be closed before us.
                self._loop.call_soon_threadsafe(self._over.set)

    def _connect(self) -> str:
        events = (ctypes.c_char * len(self._subscribed)).from_buffer(bytearray(self._subscribed))
        device = self._device()
        error = self._library.code.Neonize(
            *(self._store(), self._uuid, b"", 0, 0, b"WARN"),
            *(*self._callbacks, events, len(self._subscribed), device, len(device)),
            *(b"", 0, None),
        )
        return str(error.decode(errors="replace")) if error else ""

    def _store(self) -> bytes:
        # The client appends its own "?_foreign_keys=on"; the last parameter swallows it.
        path = quote(str(self._session))
        tuning = "_foreign_keys=on&_journal_mode=WAL&_synchronous=NORMAL&_busy_timeout=10000&z=1"
        return f"{path}?{tuning}".encode()

    def _device(self) -> bytes:
        props = self._library.protos.device.DeviceProps
        return bytes(props(os=self._device_name, platformType=props.CHROME).SerializeToString())

    def _make_callbacks(self) -> tuple[Any, Any, Any, Any]:
        library = self._library
        return (
            library.text_callback(lambda _, data: self._guarded(self._code, data)),
            library.text_callback(lambda _, data: self._guarded(self._login, data)),
            library.event_callback(
                lambda _, data, size, code: self._guarded(self._event, data, size, code)
            ),
            library.log_callback(lambda data, size: self._guarded(self._log, data, size)),
        )

    def _guarded(self, step: Callable[..., None], *arguments: Any) -> None:
        """Nothing may be raised into the client: it would drop the event without a word."""
        try:
            step(*arguments)
        except BaseException:
            log.exception("a WhatsApp callback failed")
        finally:
            self._last_callback = time.monotonic()

    def _code(self, data: int) -> None:
        self._placed.set()
        self._observer.on_code(ctypes.string_at(data).decode())

    def _login(self, data: int) -> None:
        self._placed.set()
        self._observer.on_login(ctypes.string_at(data).decode(errors="replace"))

    def _event(self, data: int, size: int, code: int) -> None:
        raw = ctypes.string_at(data, size) if data and size > 0 else b""
        self._last_callback = time.monotonic()
        if code == REGISTERED:
            self._registered = True
            self._placed.set()
        self._observer.on_event(code, raw)

    def _log(self, data: int, size: int) -> None:
        entry = self._library.protos.events.LogEntry.FromString(ctypes.string_at(data, size))
        level = logging.ERROR if entry.Level == "ERROR" else logging.WARNING
        log.log(level, "whatsmeow: %s", entry.Message, extra={"company": self._uuid.decode()})
