"""One company's connection inside the client: its thread, and its few calls."""

import asyncio
import contextlib
import ctypes
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import UUID

from bot.whatsapp.callbacks import SUBSCRIBED, Callbacks, Observer
from bot.whatsapp.gate import Gate, Line, NotBegun
from bot.whatsapp.identity import jid_parts
from bot.whatsapp.library import Library
from bot.whatsapp.media import Media
from bot.wire import NotSent, Unconfirmed
from models.errors import GiveUp
from models.values import Quote

log = logging.getLogger(__name__)
Result = TypeVar("Result")

_QUEUE_LIMIT = 80.0
# Closing a connection whose other end is silent takes the client 5 s.
_CLOSE_LIMIT = 6.0
_END_LIMIT = 1.0
_LOGOUT_LIMIT = 80.0
# Once begun, the client waits up to 75 s for each of the person's devices, their keys and the ack.
# Until its call has returned a send may still leave, so it must not be judged earlier.
_SEND_LIMIT = _QUEUE_LIMIT + 240.0
_REGISTER_LIMIT = 5.0
_BROWSER, _CHROME = "Chrome (Linux)", 1
_NEVER_LEFT = ("websocket not connected", "client is nil")
_REFUSED = ("server returned error 463", "server returned error 479", "no LID found for")


def _heard(call: "asyncio.Future[Any]") -> None:
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
        self._callbacks = Callbacks(library, str(company_id), observer)
        self._subscribed = bytes(subscribed)
        self._begun = False
        self._stopping = False
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._line = Line()  # The client sends one at a time for an account anyway.
        self.media = Media(library, self._uuid, lambda call: gate.call(self._allowed(call)))

    async def start(self) -> None:
        """Begin to connect; returns when the client knows the company, or has given up."""
        thread = threading.Thread(target=self._live, name=f"whatsapp-{self._uuid.decode()[:8]}")
        thread.daemon = True

        def begin() -> None:
            self._begun = True
            thread.start()

        await self._gate.alone(begin, self._callbacks.placed, limit=_REGISTER_LIMIT)

    async def send(
        self,
        chat: str,
        text: str,
        secret: bytes,
        *,
        first: Callable[[], None] = lambda: None,
        ready: Callable[[], None] = lambda: None,
        picture: bytes | None = None,
        quote: Quote | None = None,
        limit: float = _SEND_LIMIT,
    ) -> str:
        """Send *text*, under a *picture* that was uploaded, and return its WhatsApp id.

        Both are called on the thread of the call, because it may have waited: *first* when its turn
        has come, and may take its time, *ready* right before it. What they raise keeps the text
        here. Raises NotSent, Unconfirmed or GiveUp.
        """
        message = self._message(chat, text, picture, quote)
        message.messageContextInfo.messageSecret = secret
        body, to = message.SerializeToString(), self._jid(chat)

        def hand_over() -> Any:
            ready()
            return self._library.code.SendMessage(self._uuid, to, len(to), body, len(body))

        call = asyncio.ensure_future(
            self._gate.call(
                self._allowed(hand_over),
                line=self._line,
                first=first,
                begin_limit=_QUEUE_LIMIT,
            )
        )
        call.add_done_callback(_heard)
        done, _ = await asyncio.wait({call}, timeout=limit)
        if not done:
            raise Unconfirmed("WhatsApp did not answer in time")
        try:
            return self._sent_id(call.result())
        except NotBegun:
            raise NotSent("its turn did not come in time") from None

    async def typing(self, chat: str, on: bool) -> None:
        """Show or hide that an answer is being written. Raises NotSent."""
        to = self._jid(chat)
        code = self._library.code
        error = await self._gate.call(
            self._allowed(lambda: code.SendChatPresence(self._uuid, to, len(to), 0 if on else 1, 0))
        )
        if error:
            raise NotSent(error.decode(errors="replace"))

    async def mark_read(self, chat: str, wa_ids: Sequence[str]) -> None:
        """Show that messages of a chat of two were read. Raises NotSent."""
        who, ids, code = self._jid(chat), " ".join(wa_ids).encode(), self._library.code
        at, kind = int(time.time()), b"read"
        error = await self._gate.call(
            self._allowed(
                lambda: code.MarkRead(self._uuid, ids, at, who, len(who), who, len(who), kind)
            )
        )
        if error:
            raise NotSent(error.decode(errors="replace"))

    async def show_online(self) -> None:
        """Show the account as online, until the connection ends. Raises NotSent.

        WhatsApp takes it only once it has told the client the account's name.
        """
        code = self._library.code
        call = self._allowed(lambda: code.SendPresence(self._uuid, b"available"))
        if error := await self._gate.call(call):
            raise NotSent(error.decode(errors="replace"))

    async def pairing_letters(self, phone: str) -> str:
        """Eight letters, ``ABCD-EFGH``, to be typed on the phone with these digits.

        Only while a code to scan is shown. Raises NotSent with WhatsApp's refusal.
        """
        asked = self._library.protos.events.PairPhoneParams(
            phone=phone,
            clientDisplayName=_BROWSER,  # WhatsApp takes only a browser's name, and its system.
            clientType=_CHROME,
            showPushNotification=True,
        ).SerializeToString()
        code = self._library.code
        raw = await self._gate.call(lambda: code.PairPhone(self._uuid, asked, len(asked)))
        answer = self._library.protos.events.PairPhoneReturnFunction.FromString(raw)
        if answer.Error:
            raise NotSent(answer.Error)
        return str(answer.Code)

    async def log_out(self) -> None:
        """Unlink this device from the phone, which also deletes it here. Raises NotSent."""
        code = self._library.code
        call = self._gate.call(self._allowed(lambda: code.Logout(self._uuid)))
        try:
            async with asyncio.timeout(_LOGOUT_LIMIT):
                error = await call
        except TimeoutError:
            raise NotSent("WhatsApp did not answer in time") from None
        if error:
            raise NotSent(error.decode(errors="replace"))

    async def stop(self, *, quiet: float = 0.15, longest: float = 3.0) -> None:
        """Disconnect, let what is on its way arrive (at most *longest* s), and end."""
        if await self._disconnect():
            await self._quiet(quiet, longest)
        await self._gate.alone(self._stop, limit=0)
        self._line.close()
        if not self._begun:
            return  # Cancelled while it waited for its turn to start.
        try:
            async with asyncio.timeout(_END_LIMIT):
                await self._over.wait()
        except TimeoutError:
            log.warning("a WhatsApp thread did not end", extra={"company": self._uuid.decode()})

    async def _disconnect(self) -> bool:
        code = self._library.code
        call = asyncio.ensure_future(
            self._gate.call(self._allowed(lambda: code.Disconnect(self._uuid)))
        )
        call.add_done_callback(_heard)
        done, _ = await asyncio.wait({call}, timeout=_CLOSE_LIMIT)
        return bool(done) and call.exception() is None

    async def _quiet(self, quiet: float, limit: float) -> None:
        """Twice *quiet* seconds without a callback: by then the client's channel is empty."""
        deadline = time.monotonic() + limit
        left = quiet
        while left > 0:
            await asyncio.sleep(left)
            left = min(deadline, self._callbacks.last + 2 * quiet) - time.monotonic()

    def _stop(self) -> None:
        self._stopping = True
        self._library.code.Stop(self._uuid)

    def _allowed(self, call: Callable[[], Result]) -> Callable[[], Result]:
        """Some calls end the process when the client does not know the company."""

        def checked() -> Result:
            if not self._callbacks.registered or self._stopping:
                raise NotSent("the WhatsApp session is not connected")
            return call()

        return checked

    def _message(self, chat: str, text: str, picture: bytes | None, quote: Quote | None) -> Any:
        """Plain words; under a quote they have to be "extended", under a picture its caption."""
        e2e = self._library.protos.e2e
        if picture is None and quote is None:
            return e2e.Message(conversation=text)
        message = e2e.Message()
        if picture is not None:
            message.imageMessage.ParseFromString(picture)
            message.imageMessage.caption = text
        else:
            message.extendedTextMessage.text = text
        if quote is not None:
            said = message.imageMessage if picture is not None else message.extendedTextMessage
            said.contextInfo.stanzaID, said.contextInfo.participant = quote.id, chat
            said.contextInfo.quotedMessage.conversation = quote.text
        return message

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
            self._callbacks.end(error)
            with contextlib.suppress(RuntimeError):  # The loop may be closed before us.
                self._loop.call_soon_threadsafe(self._over.set)

    def _connect(self) -> str:
        events = (ctypes.c_char * len(self._subscribed)).from_buffer(bytearray(self._subscribed))
        device = self._device()
        error = self._library.code.Neonize(
            *(self._store(), self._uuid, b"", 0, 0, b"WARN"),
            *(*self._callbacks.as_c, events, len(self._subscribed), device, len(device)),
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
