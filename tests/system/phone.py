"""Phones without WhatsApp whose messages outlive any process: two files in a folder.

``written.jsonl`` is what people wrote, ``arrived.jsonl`` what they can read. As WhatsApp does,
a message is offered again until the client has taken it (``taken.jsonl``). ``order`` names a
signal, and the point at which a daemon is to send it to itself next. ``line-COMPANY`` is held by
whoever is connected; a second one there is written into ``clashes.jsonl``.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from bot.whatsapp.callbacks import Observer
from bot.whatsapp.events import MESSAGE
from bot.whatsapp.library import Protos, read_protos
from bot.whatsapp.session_parts import Connection
from bot.wire import Unconfirmed
from models.values import Quote
from tests.fakes.connection import FakeMedia, SessionFile
from tests.system.lines import Tail, append, read

_REGISTERED, _CONNECTED, _CAUGHT_UP = 0, 3, 27


class Phones:
    """The people's side of the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ahead = 0.0
        """How many seconds WhatsApp's clock is ahead of ours."""
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, company: UUID, phone: str, text: str, wa_id: str) -> None:
        """A customer writes."""
        at = int(1000 * (time.time() + self.ahead - 60))  # It was under way for a minute.
        line = {"company": str(company), "phone": phone, "text": text, "id": wa_id, "at": at}
        append(self.folder / "written.jsonl", line)

    def arrived(self, phone: str) -> list[str]:
        """What this customer can read."""
        return [line["text"] for line in self._arrived(phone)]

    def senders(self, phone: str) -> list[int]:
        """The processes that sent it."""
        return [line["pid"] for line in self._arrived(phone)]

    def taken(self, wa_id: str) -> bool:
        """Whether the client has this message, so that it is never offered again."""
        return any(line["id"] == wa_id for line in read(self.folder / "taken.jsonl"))

    def holder(self, company: UUID) -> int | None:
        """The process that is connected for a company."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(line_of(self.folder, company).read_text(encoding="ascii"))
        return None

    def clashes(self) -> list[dict[str, Any]]:
        """Every time that two were connected for one company."""
        return read(self.folder / "clashes.jsonl")

    def die(self, at: str) -> None:
        """Kill the daemon when it next comes to this point."""
        self.order(signal.SIGKILL, at)

    def order(self, number: signal.Signals, at: str) -> None:
        """Have the daemon send itself a signal when it next comes to this point."""
        (self.folder / "order").write_text(f"{number.name} {at}", encoding="utf-8")

    def _arrived(self, phone: str) -> list[dict[str, Any]]:
        lines = read(self.folder / "arrived.jsonl")
        return [line for line in lines if line["chat"] == f"{phone}@s.whatsapp.net"]


class PhoneConnector:
    """Makes the daemon's connections to that folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def load(self) -> Protos:
        """The messages, without the library."""
        return read_protos()

    def connect(
        self, company_id: UUID, session: Path, observer: Observer, *, typing: bool = False
    ) -> Connection:
        """One connection of one company; nobody here types."""
        del typing
        return PhoneConnection(self._folder, company_id, session, observer)

    async def unreachable(self) -> str | None:
        """It is always there."""
        return None

    def close(self) -> None:
        """Nothing to give back."""


class PhoneConnection:
    """Offers on a thread of its own, as the client does, and writes what the client writes."""

    def __init__(self, folder: Path, company: UUID, session: Path, observer: Observer) -> None:
        self._folder = folder
        self._company = str(company)
        self._session = session
        self._observer = observer
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._offer, name="phone", daemon=True)
        self._written = Tail(folder / "written.jsonl")
        self._taken = Tail(folder / "taken.jsonl")
        self._waiting: dict[str, dict[str, Any]] = {}
        self._line = -1
        self.media = FakeMedia()

    async def start(self) -> None:
        """Connect."""
        self._line = take_line(self._folder, self._company)
        self._thread.start()

    async def stop(self) -> None:
        """Disconnect."""
        self._over.set()
        await asyncio.to_thread(self._thread.join)
        os.truncate(self._line, 0)
        os.close(self._line)

    async def log_out(self) -> None:
        """The phone forgets the device."""
        SessionFile(self._session).unpair()

    async def send(
        self,
        chat: str,
        text: str,
        secret: bytes,
        *,
        first: Callable[[], None],
        ready: Callable[[], None],
        picture: bytes | None = None,
        quote: Quote | None = None,
    ) -> str:
        """Secret, ratchet, wire: in the client's own order, with a place to die before each."""
        assert picture is None
        del quote  # Nobody sees it here.
        wa_id = "3EB0" + hashlib.sha256(secret).hexdigest()[:18].upper()
        await asyncio.to_thread(first)
        ready()
        try:
            self._write_down(chat, wa_id, secret)
        except sqlite3.Error as error:  # A full disk; the client has no better word for it.
            raise Unconfirmed(str(error)) from error
        self._obey("before the wire")
        sender: dict[str, Any] = {"company": self._company, "pid": os.getpid()}
        line = sender | {"chat": chat, "text": text, "id": wa_id}
        append(self._folder / "arrived.jsonl", line)
        self._obey("after the wire")
        return wa_id

    def _write_down(self, chat: str, wa_id: str, secret: bytes) -> None:
        file = SessionFile(self._session)
        self._obey("before the secret")
        file.write_secret(chat, wa_id, secret)
        self._obey("before the ratchet")
        file.turn_ratchet(f"{chat.partition('@')[0]}:0")

    async def show_online(self) -> None:
        """Nobody watches."""

    async def mark_read(self, chat: str, wa_ids: Sequence[str]) -> None:
        """Shown to nobody."""

    async def typing(self, chat: str, on: bool) -> None:
        """Shown to nobody."""

    def _offer(self) -> None:
        protos = read_protos()
        for code in (_REGISTERED, _CONNECTED, _CAUGHT_UP):
            self._observer.on_event(code, b"")
        while not self._over.wait(0.01):
            for line in self._untaken():
                self._obey("before the journal")
                self._observer.on_event(MESSAGE, event(protos, line))
                self._obey("after the journal")
                append(self._folder / "taken.jsonl", {"id": line["id"]})

    def _untaken(self) -> list[dict[str, Any]]:
        for line in self._written.lines():
            if line["company"] == self._company:
                self._waiting[line["id"]] = line
        for line in self._taken.lines():
            self._waiting.pop(line["id"], None)
        return list(self._waiting.values())

    def _obey(self, point: str) -> None:
        order = self._folder / "order"
        with contextlib.suppress(FileNotFoundError):
            name, _, at = order.read_text(encoding="utf-8").partition(" ")
            if at == point:
                order.unlink()
                os.kill(os.getpid(), signal.Signals[name])


def line_of(folder: Path, company: UUID | str) -> Path:
    """Held, and signed, by whoever is connected for the company."""
    return folder / f"line-{company}"


def take_line(folder: Path, company: str) -> int:
    """Connect; the kernel hangs up for a process that dies."""
    line = os.open(line_of(folder, company), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(line, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        append(folder / "clashes.jsonl", {"company": company, "pid": os.getpid()})
    os.truncate(line, 0)
    os.write(line, str(os.getpid()).encode())
    return line


def event(protos: Protos, line: dict[str, Any]) -> bytes:
    """The message as the client hands it over."""
    message = protos.events.Message()
    message.Message.conversation = line["text"]
    source = message.Info.MessageSource
    for jid, user in (
        (source.Chat, line["phone"]),
        (source.Sender, line["phone"]),
        (source.SenderAlt, ""),
        (source.RecipientAlt, ""),
        (source.BroadcastListOwner, ""),
    ):
        server = "s.whatsapp.net" if user else ""
        values = {"User": user, "Server": server, "Device": 0, "RawAgent": 0, "Integrator": 0}
        for name, value in {**values, "IsEmpty": not user}.items():
            setattr(jid, name, value)
    source.IsFromMe = source.IsGroup = message.IsEdit = False
    message.Info.ID, message.Info.Timestamp = line["id"], line["at"]
    message.Info.Pushname = "Ana"
    return bytes(message.SerializePartialToString())
