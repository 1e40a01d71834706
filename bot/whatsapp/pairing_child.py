"""One pairing in a process of its own: ``python -m bot.whatsapp.pairing_child STATE COMPANY NAME``.

Prints one JSON line an event and always ends hard: an abandoned pairing leaves a thread in the
client that nothing can end. Ends at once when its input closes, so it never outlives its parent.
"""

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from bot.whatsapp import library, reach, session_file
from bot.whatsapp.callbacks import CONNECTED, PAIR_STATUS, SUBSCRIBED
from bot.whatsapp.client import Client
from bot.whatsapp.files import CompanyFiles, Pairing
from bot.whatsapp.gate import Gate
from bot.whatsapp.locks import holding
from bot.whatsapp.settlement import SessionBooks
from bot.whatsapp.states import Reason
from models.errors import RetryLater

_CODE_LIMIT = 30.0
_LIMIT = 200.0
_CONNECT_LIMIT = 30.0
_STAY = 3.0
_FIRST_CODE, _NEXT_CODE = 60.0, 20.0
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
    """The word for the parent, and what was seen."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class Watch:
    """Turns what the client says on its threads into futures, and codes into lines."""

    def __init__(self, protos: library.Protos) -> None:
        self._protos = protos
        self._loop = asyncio.get_running_loop()
        self._codes = 0
        self.shown: asyncio.Future[None] = self._loop.create_future()
        self.scanned: asyncio.Future[None] = self._loop.create_future()
        self.connected: asyncio.Future[None] = self._loop.create_future()

    def on_code(self, code: str) -> None:
        """A code to scan; the first one lives longer."""
        self._codes += 1
        life = _FIRST_CODE if self._codes == 1 else _NEXT_CODE
        say(event="qr", code=code, expires_in=life)
        self._loop.call_soon_threadsafe(_settle, self.shown)

    def on_login(self, status: str) -> None:
        """The end of the scanning."""
        if status != _SUCCESS:
            self._fail(PairingFailed(STATUS.get(status, "refused"), status))

    def on_event(self, code: int, raw: bytes) -> None:
        """Only two matter here: paired, and connected."""
        if code == PAIR_STATUS:
            self._paired(raw)
        elif code == CONNECTED:
            self._loop.call_soon_threadsafe(_settle, self.connected)

    def on_end(self, error: str) -> None:
        """The client gave up before any scan."""
        reason = Reason.UNREACHABLE if "dial" in error else Reason.FAULT
        self._fail(PairingFailed(reason.value, error))

    def _paired(self, raw: bytes) -> None:
        event = self._protos.events.PairStatus.FromString(raw)
        if event.Status != self._protos.events.PairStatus.SUCCESS:
            self._fail(PairingFailed("refused", event.Error))
            return
        self._loop.call_soon_threadsafe(_settle, self.scanned)

    def _fail(self, error: PairingFailed) -> None:
        def fail() -> None:
            _settle(self.shown)
            if not self.scanned.done():
                self.scanned.set_exception(error)

        self._loop.call_soon_threadsafe(fail)


def say(**words: object) -> None:
    """One line for the parent."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


async def pair(files: CompanyFiles, device_name: str) -> None:
    """Say ``paired`` or raise PairingFailed."""
    if (known := session_file.device(files.session)) is not None:
        say(event="paired", jid=known["jid"], phone=_phone(known["jid"]), already=True)
        return
    with holding(files.lock, "pairing", patience=0.2) as ours:
        if not ours:
            raise PairingFailed("busy")
        files.forget_boot()
        if (why := await reach.unreachable()) is not None:
            raise PairingFailed(Reason.UNREACHABLE.value, why)
        await _pair_with(library.load(), files, device_name)


async def _pair_with(loaded: library.Library, files: CompanyFiles, device_name: str) -> None:
    watch = Watch(loaded.protos)
    client = Client(
        loaded,
        Gate(workers=4),
        company_id=files.company_id,
        session=files.session,
        device_name=device_name,
        observer=watch,
        subscribed=(PAIR_STATUS, *SUBSCRIBED),
    )
    await client.start()
    await _scanned(watch)
    paired_at = datetime.now(UTC)
    await _stay(watch)
    await client.stop()
    await _note(files, paired_at)


async def _scanned(watch: Watch) -> None:
    """Raises PairingFailed: no code came, nobody scanned it, or it was refused."""
    try:
        async with asyncio.timeout(_CODE_LIMIT):
            await watch.shown
    except TimeoutError:
        raise PairingFailed(Reason.UNREACHABLE.value, "WhatsApp sent no code") from None
    try:
        async with asyncio.timeout(_LIMIT):
            await watch.scanned
    except TimeoutError:
        raise PairingFailed("expired") from None


async def _stay(watch: Watch) -> None:
    """The phone hands over keys right after the pairing; leaving at once would miss them."""
    try:
        async with asyncio.timeout(_CONNECT_LIMIT):
            await watch.connected
        await asyncio.sleep(_STAY)
    except TimeoutError:
        return  # The device is paired all the same; whoever hosts it connects again.


async def _note(files: CompanyFiles, paired_at: datetime) -> None:
    """What was paired is read by a process that has no client in it."""
    books = SessionBooks()
    device = await books.device(files.session)
    await books.close()
    if device is None:
        raise PairingFailed("refused", "the session file holds no device")
    pairing = Pairing(device["jid"], device["lid"], device["platform"], paired_at)
    files.write_note(pairing)
    say(event="paired", jid=pairing.jid, phone=pairing.phone)


def _phone(jid: str) -> str:
    return Pairing(jid, "", "", datetime.now(UTC)).phone


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def main(argv: list[str], leave: Callable[[int], None] = os._exit) -> None:
    """Pair, say how it went, and end hard."""
    os.umask(0o077)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent decides; its pipe tells us.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    state_dir, company_id, device_name = argv
    files = CompanyFiles(Path(state_dir), UUID(company_id))
    files.prepare()
    try:
        asyncio.run(pair(files, device_name))
    except PairingFailed as error:
        say(event="failed", reason=error.reason, detail=error.detail)
    except RetryLater as error:
        say(event="failed", reason=Reason.FAULT.value, detail=str(error))
    except library.LibraryMissing as error:
        say(event="failed", reason=Reason.LIBRARY_MISSING.value, detail=str(error))
    leave(0)


if __name__ == "__main__":
    main(sys.argv[1:])
