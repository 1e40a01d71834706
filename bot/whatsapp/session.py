"""One company's WhatsApp: its state, and its way out."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from uuid import UUID

from bot.whatsapp.events import CALLS, MESSAGE
from bot.whatsapp.gate import on_loop
from bot.whatsapp.offline_queue import OfflineQueue
from bot.whatsapp.session_parts import Connection, Parts
from bot.whatsapp.settlement import SessionDamaged
from bot.whatsapp.states import Phase, Reason, State
from bot.whatsapp.transitions import after_code, after_end, after_waiting, ends_connection
from bot.whatsapp.typing import TYPING
from bot.wire import (
    NotSent,
    Outgoing,
    OwnerHand,
    Settlement,
    TakenOver,
    Unsettled,
)
from models.errors import RetryLater
from models.values import Channel, MediaRef

log = logging.getLogger(__name__)

_SIGNS = 4  # At once; a line that takes none must not take all threads.


class Session:
    """A `bot.wire.Wire`; its ``on_…`` methods are called on the client's own threads."""

    def __init__(self, company_id: UUID, parts: Parts) -> None:
        self._company_id = company_id
        self._parts = parts
        self._loop = asyncio.get_running_loop()
        self._showing = asyncio.Semaphore(_SIGNS)
        self._connection: Connection | None = None
        self._offline = self._new_queue()
        self._state = State(Reason.CONNECTING)
        self._moved = asyncio.Event()

    @property
    def company_id(self) -> UUID:
        """Whose session this is."""
        return self._company_id

    @property
    def channel(self) -> Channel:
        """Always WhatsApp."""
        return Channel.WHATSAPP

    @property
    def state(self) -> State:
        """Where it stands, by the last event."""
        return self._state

    @property
    def connected(self) -> bool:
        """Whether WhatsApp takes messages, and what came while we were away has been read."""
        return self._state.phase is Phase.CONNECTED and self._offline.read

    @property
    def catching_up(self) -> bool:
        """From the start of a connection until what came while we were away has been read."""
        begun = self._state.phase is Phase.CONNECTED or self._state.reason is Reason.CONNECTING
        return begun and not self._offline.read

    def customer_types(self, chat: str) -> bool:
        """Whether the customer is typing; never where the company does not want to know."""
        return bool((typing := self._parts.typing) and typing.is_typing(chat))

    def owner_hand(self, chat: str) -> OwnerHand:
        """The owner's doings in *chat*, without any waiting."""
        return self._parts.arrivals.hand(chat)

    async def typing(self, chat: str, on: bool) -> None:
        """Show or hide "typing…"; a failure is only logged, and so is a crowd on a stuck line."""
        await self._show(lambda connection: connection.typing(chat, on))

    async def mark_read(self, chat: str, wa_ids: Sequence[str]) -> None:
        """Show that these were read; as little is promised as of "typing…"."""
        await self._show(lambda connection: connection.mark_read(chat, wa_ids))

    async def sessions_hash(self, chat: str) -> str | None:
        """A hash of the chat's ratchets, or None where they cannot be read now."""
        try:
            return await self._parts.books.sessions_hash(self._parts.files.session, chat)
        except (RetryLater, SessionDamaged) as error:
            log.warning("no ratchet hash", extra={"reason": str(error)})
            return None

    async def send(self, outgoing: Outgoing) -> str:
        """Send one bubble and return its id.

        Raises NotSent, TakenOver, Unconfirmed, or GiveUp (refused).
        """
        if self._connection is None or not self.connected:
            raise NotSent("WhatsApp is not connected")
        login = self._offline.logins
        wa_id = await self._connection.send(
            outgoing.chat,
            outgoing.text,
            outgoing.secret,
            first=lambda: self._look_again(outgoing),
            ready=lambda: self._must_be_ready(outgoing, login),
            picture=outgoing.picture,
            quote=outgoing.quote,
        )
        self._parts.arrivals.sent(wa_id)
        return wa_id

    async def take_picture(self, place: str) -> bytes | None:
        """The picture at *place* as a message refers to it; None where it cannot be had now."""
        if self._connection is None or not self.connected:
            return None
        return await self._parts.pictures.taken(place, self._connection.media.upload)

    async def download(self, ref: MediaRef) -> bytes:
        """The file behind *ref*. Raises GiveUp with a sentence, RetryLater, or NotSent."""
        if self._connection is None or not self.connected:
            raise NotSent("WhatsApp is not connected")
        most, seconds = self._parts.most_bytes, self._parts.media_seconds
        return await self._connection.media.download(ref, most=most, seconds=seconds)

    async def settle(self, unsettled: Sequence[Unsettled]) -> list[Settlement]:
        """One verdict for each send. Raises RetryLater while the session file cannot be read.

        After a power loss, in a damaged file, or after a new pairing the trace of a send that
        arrived may be lost: then each counts as sent, because nothing may be said twice.
        """
        files = self._parts.files
        try:
            verdicts = await self._parts.books.settle(files.session, unsettled)
        except SessionDamaged:
            return [Settlement(one.outbox_id, sent=True) for one in unsettled]
        if files.same_boot():
            return verdicts
        return [replace(verdict, sent=True) for verdict in verdicts]

    async def live(self) -> State:
        """Connect once and stay until the client will not come back by itself; returns why."""
        self._enter(State(Reason.CONNECTING))
        self._offline = self._new_queue()
        self._connection = self._parts.connection(self)
        try:
            await self._connection.start()
            return await self._until_over()
        finally:
            connection, self._connection = self._connection, None
            await connection.stop()

    def on_event(self, code: int, raw: bytes) -> None:
        """An event of the client's; a message is on the disk when this returns."""
        if code == MESSAGE:
            self._offline.message()
            self._parts.arrivals.keep(raw)
            if self._parts.phone.notice(raw):
                self._tell(self._phone_is_alive)
        elif code in CALLS:
            self._parts.arrivals.keep(raw, code)
        elif code != TYPING:
            self._tell(self._follow, code, raw)
        if self._parts.typing is not None:
            self._tell(self._parts.typing.follow, code, raw)

    def on_code(self, _code: str) -> None:
        """A code to scan means that the session file holds no device any more."""
        self._tell(self._enter, after_code())

    def on_login(self, _status: str) -> None:
        """Only a pairing child pairs."""

    def on_end(self, error: str) -> None:
        """The connection's thread is gone."""
        self._tell(self._end, error)

    async def keep_online(self) -> None:
        """Show the account online once a login, where the company wants to know who is typing."""
        if (typing := self._parts.typing) and not typing.online:
            await self._show(typing.show_online)

    def watch_phone(self) -> None:
        """Say whether the phone sleeps; to be called now and then."""
        if self._state.phase is Phase.CONNECTED:
            self._enter(State(Reason.ONLINE))

    async def _until_over(self) -> State:
        limit = self._parts.connect_limit
        while not self._is_over:
            try:
                async with asyncio.timeout(limit):
                    await self._until(lambda state: state.phase is Phase.CONNECTED)
            except TimeoutError:
                self._enter(after_waiting(limit))
            await self._until(lambda state: state.phase is not Phase.CONNECTED)
            limit = self._parts.reconnect_limit
        return self._state

    async def _until(self, wanted: Callable[[State], bool]) -> State:
        while not (wanted(self._state) or ends_connection(self._state)):
            self._moved.clear()
            await self._moved.wait()
        return self._state

    async def _show(self, sign: Callable[[Connection], Awaitable[None]]) -> None:
        if self._connection is None or not self.connected or self._showing.locked():
            return
        try:
            async with self._showing:
                await sign(self._connection)
        except NotSent as error:
            log.debug("a sign was not shown", extra={"reason": str(error)})

    def _look_again(self, outgoing: Outgoing) -> None:
        """What its turn was late for, on the loop; from any other thread."""
        if outgoing.again is not None and time.monotonic() > outgoing.until:
            on_loop(_awaited(outgoing.again), self._loop)

    def _must_be_ready(self, outgoing: Outgoing, login: int) -> None:
        """Whether all is still as it was when the sender looked; from any thread."""
        if self._state.phase is not Phase.CONNECTED or self._offline.logins != login:
            raise NotSent("WhatsApp is not connected")
        if outgoing.hand not in (None, self.owner_hand(outgoing.chat)):
            raise TakenOver("the owner wrote in the chat")

    def _new_queue(self) -> OfflineQueue:
        return OfflineQueue(self._loop.time, lambda: self._parts.arrivals.untaken)

    def _follow(self, code: int, raw: bytes) -> None:
        self._offline.follow(code)
        state = self._parts.transitions.after(code, raw, self._parts.now())
        if state is not None and not self._is_over:
            self._enter(state)

    def _end(self, error: str) -> None:
        if not self._is_over and self._connection is not None:
            self._enter(after_end(error))

    @property
    def _is_over(self) -> bool:
        """An ended connection's late events must not paint over the reason of its end."""
        return ends_connection(self._state)

    def _phone_is_alive(self) -> None:
        self.watch_phone()
        self._parts.on_phone(self._company_id)

    def _enter(self, state: State) -> None:
        since = self._parts.phone.asleep_since
        if state.reason is Reason.ONLINE and since is not None:
            state = State(Reason.PHONE_ASLEEP, detail=f"{since:%Y-%m-%d}")
        if state != self._state or state.reason is Reason.CONNECTING:
            self._state = state
            self._moved.set()
            self._parts.on_state(self._company_id, state)

    def _tell(self, step: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(step, *arguments)
        except RuntimeError:
            log.debug("an event came after the loop had closed")


async def _awaited(again: Callable[[], Awaitable[None]]) -> None:
    await again()
