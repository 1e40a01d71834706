"""One pairing in a process of its own: ``python -m bot.whatsapp.pairing_child STATE COMPANY NAME``.

Says each event as a JSON line, takes wishes as JSON lines, and always ends hard: an abandoned
pairing leaves a thread in the client that nothing can end. Ends at once when its input closes, so
it never outlives its parent.

Wishes: ``{"do": "letters", "phone": digits}`` asks for eight letters to be typed on that phone.
Once a phone is there, ``{"do": "keep"}`` makes it the company's, and ``{"do": "refuse", "reason":
word}`` unlinks it. Until then its note does not name it, and nobody hosts the session.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from bot.whatsapp import library, reach, session_file
from bot.whatsapp.callbacks import PAIR_STATUS, SUBSCRIBED
from bot.whatsapp.client import Client
from bot.whatsapp.files import CompanyFiles, Pairing, phone_of
from bot.whatsapp.gate import Gate
from bot.whatsapp.locks import holding
from bot.whatsapp.pairing_audience import Audience
from bot.whatsapp.pairing_watch import LIFE, PairingFailed, Post, Watch
from bot.whatsapp.settlement import SessionBooks
from bot.whatsapp.states import Reason
from bot.wire import NotSent
from models.errors import RetryLater

_CODE_LIMIT = 30.0
_CONNECT_LIMIT = 30.0
_DECIDE_LIMIT = 150.0
_STAY = 3.0
_ENOUGH = 100.0
"""Seconds that somebody needs to type eight letters on a phone."""


class Child:
    """One company's pairing, from the first code to the note of whose number it is."""

    def __init__(self, files: CompanyFiles, device_name: str, audience: Audience) -> None:
        self._files = files
        self._device_name = device_name
        self._audience = audience
        self._loop = asyncio.get_running_loop()
        self._decision: asyncio.Future[str] = self._loop.create_future()
        self._post = Post()
        self._opened: asyncio.Future[tuple[Client, Watch]] = self._loop.create_future()
        self._letters: set[asyncio.Task[None]] = set()
        self.too_late = asyncio.Event()
        self._until_the_end = contextlib.ExitStack()  # The lock ends with the process.

    async def run(self) -> None:
        """Say ``paired``. Raises PairingFailed."""
        known = self._device()
        if known is not None and self._files.is_confirmed(known["jid"]):
            phone = phone_of(known["jid"])
            self._audience.say(event="paired", jid=known["jid"], phone=phone, already=True)
            return
        lock = holding(self._files.lock, "pairing", patience=0.2)
        if not self._until_the_end.enter_context(lock):
            raise PairingFailed("busy")
        async with self._audience.open(self._files.pairing):
            known = self._device(ours=True)
            await (self._pair() if known is None else self._ask_again(known["jid"]))

    async def obey(self) -> None:
        """Take wishes until cancelled; ``too_late`` is set where one wants a new pairing."""
        while True:
            wish = await self._audience.wishes.get()
            if wish.get("do") == "letters":
                task = asyncio.ensure_future(self._say_letters(str(wish.get("phone"))))
                self._letters.add(task)
                task.add_done_callback(self._letters.discard)
            elif wish.get("do") in {"keep", "refuse"} and not self._decision.done():
                self._decision.set_result(str(wish.get("reason", "")))

    def _device(self, *, ours: bool = False) -> dict[str, str] | None:
        """What is paired; a damaged file that is *ours* to touch makes room for a new pairing."""
        try:
            return session_file.device(self._files.session)
        except session_file.Damaged:
            if ours:
                self._files.set_aside("corrupt", datetime.now(UTC))
            return None
        except OSError as error:
            raise PairingFailed(Reason.FAULT.value, str(error)) from None

    async def _pair(self) -> None:
        self._files.forget_boot()
        if (why := await reach.unreachable()) is not None:
            raise PairingFailed(Reason.UNREACHABLE.value, why)
        client, watch = self._open()
        await client.start()
        phone = await self._scanned(watch)
        paired_at = datetime.now(UTC)
        staying = asyncio.ensure_future(self._stay(watch))
        reason = await self._decided(phone)
        if not reason:
            self._post.keep(self._files.journal)
        await staying
        if reason:
            await self._unlink(client, reason)
        await client.stop()
        await self._note(paired_at)

    async def _ask_again(self, jid: str) -> None:
        """An earlier pairing linked a phone, and nobody has said whether it is the right one."""
        reason = await self._decided(phone_of(jid))
        if reason:
            client, watch = self._open()
            await client.start()
            await self._stay(watch, 0.0)
            await self._unlink(client, reason)
        await self._note(datetime.now(UTC))

    def _open(self) -> tuple[Client, Watch]:
        loaded = library.load()

        def say_code(code: str, life: float) -> None:
            self._audience.say(event="qr", code=code, expires_in=life)

        watch = Watch(loaded.protos, say_code, self._post)
        client = Client(
            loaded,
            Gate(workers=4),
            company_id=self._files.company_id,
            session=self._files.session,
            device_name=self._device_name,
            observer=watch,
            subscribed=(PAIR_STATUS, *SUBSCRIBED),
        )
        self._opened.set_result((client, watch))
        return client, watch

    async def _scanned(self, watch: Watch) -> str:
        """Wait for the phone; its number. Raises PairingFailed."""
        try:
            async with asyncio.timeout(_CODE_LIMIT):
                await asyncio.shield(watch.shown)
        except TimeoutError:
            raise PairingFailed(Reason.UNREACHABLE.value, "WhatsApp sent no code") from None
        try:
            async with asyncio.timeout(LIFE + _CONNECT_LIMIT):
                return await watch.scanned
        except TimeoutError:
            raise PairingFailed("expired") from None

    async def _decided(self, phone: str) -> str:
        """Whether this phone is the company's: "" to keep it, else why not."""
        former = self._files.read_note()
        self._audience.say(event="linked", phone=phone, former=former.phone if former else "")
        try:
            async with asyncio.timeout(_DECIDE_LIMIT):
                return await self._decision
        except TimeoutError:
            return "another_number"

    async def _stay(self, watch: Watch, seconds: float = _STAY) -> None:
        """The phone hands over keys right after the pairing; leaving at once would miss them."""
        try:
            async with asyncio.timeout(_CONNECT_LIMIT):
                await watch.connected
            await asyncio.sleep(seconds)
        except TimeoutError:
            return  # The device is paired all the same; whoever hosts it connects again.

    async def _unlink(self, client: Client, reason: str) -> None:
        detail = ""
        try:
            await client.log_out()
        except NotSent as error:
            detail = str(error)
        await client.stop()
        raise PairingFailed(reason, detail)

    async def _note(self, paired_at: datetime) -> None:
        """What was paired is read by a process that has no client in it."""
        books = SessionBooks()
        device = await books.device(self._files.session)
        await books.close()
        if device is None:
            raise PairingFailed("refused", "the session file holds no device")
        pairing = Pairing(device["jid"], device["lid"], device["platform"], paired_at)
        self._files.write_note(pairing)
        self._audience.say(event="paired", jid=pairing.jid, phone=pairing.phone)

    async def _say_letters(self, phone: str) -> None:
        """Eight letters for *phone*, or why there are none."""
        client, watch = await asyncio.shield(self._opened)
        with contextlib.suppress(PairingFailed):  # `_scanned` tells it.
            shown_at = await asyncio.shield(watch.shown)
            left = LIFE - (self._loop.time() - shown_at)
            if left < _ENOUGH:
                self.too_late.set()
                return
            try:
                letters = await client.pairing_letters(phone)
            except NotSent as error:
                self._audience.say(event="letters_refused", phone=phone, detail=str(error))
                return
            self._audience.say(event="letters", code=letters, phone=phone, expires_in=left)


async def pair(files: CompanyFiles, device_name: str) -> None:
    """Pair, and say how it went."""
    audience = Audience()
    audience.hear_parent()
    child = Child(files, device_name, audience)
    running, *others = map(
        asyncio.ensure_future, (child.run(), child.obey(), child.too_late.wait())
    )
    await asyncio.wait({running, *others}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if not running.done():
            running.cancel()  # Nobody can join any more.
            await asyncio.wait({running})
            audience.say(event="again")
        else:
            running.result()
    except PairingFailed as error:
        audience.say(event="failed", reason=error.reason, detail=error.detail)
    except RetryLater as error:
        audience.say(event="failed", reason=Reason.FAULT.value, detail=str(error))
    except library.LibraryMissing as error:
        audience.say(event="failed", reason=Reason.LIBRARY_MISSING.value, detail=str(error))
    await audience.said()


def main(argv: list[str], leave: Callable[[int], None] = os._exit) -> None:
    """Pair, say how it went, and end hard."""
    os.umask(0o077)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent decides; its pipe tells us.
    state_dir, company_id, device_name = argv
    files = CompanyFiles(Path(state_dir), UUID(company_id))
    files.prepare()
    asyncio.run(pair(files, device_name))
    leave(0)


if __name__ == "__main__":
    main(sys.argv[1:])
