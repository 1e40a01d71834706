"""A client without WhatsApp: connections a test drives, and session files as the client writes."""

import asyncio
import hashlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from uuid import UUID

from bot.whatsapp.callbacks import Observer
from bot.whatsapp.library import LibraryMissing, Protos, read_protos
from bot.whatsapp.session_parts import Connection
from bot.wire import NotSent
from models.errors import LyroxError
from models.values import MediaRef, Quote

_TABLES = """
CREATE TABLE IF NOT EXISTS whatsmeow_device (jid TEXT PRIMARY KEY, lid TEXT, platform TEXT);
CREATE TABLE IF NOT EXISTS whatsmeow_lid_map (lid TEXT PRIMARY KEY, pn TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS whatsmeow_sessions (
    our_jid TEXT REFERENCES whatsmeow_device (jid) ON DELETE CASCADE, their_id TEXT, session BLOB,
    PRIMARY KEY (our_jid, their_id));
CREATE TABLE IF NOT EXISTS whatsmeow_message_secrets (
    chat_jid TEXT, message_id TEXT PRIMARY KEY, key BLOB);
"""


class SessionFile:
    """The few rows of the client's file that we read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(_TABLES)

    def pair(self, number: str = "5215512345678", *, lid: str = "111222333444555") -> None:
        """A phone was paired."""
        row = (f"{number}:1@s.whatsapp.net", f"{lid}:1@lid", "android")
        self._write("INSERT INTO whatsmeow_device VALUES (?, ?, ?)", *row)

    def unpair(self) -> None:
        """The phone logged the device out."""
        self._write("DELETE FROM whatsmeow_device")

    def know(self, lid: str, number: str) -> None:
        """A hidden address belongs to a number."""
        self._write("INSERT OR REPLACE INTO whatsmeow_lid_map VALUES (?, ?)", lid, number)

    def turn_ratchet(self, their_id: str) -> None:
        """A message went to or came from a device, of which only a paired one knows."""
        statement = (
            "INSERT OR REPLACE INTO whatsmeow_sessions SELECT jid, ?, ? FROM whatsmeow_device"
        )
        if self._write(statement, their_id, os.urandom(16)) != 1:
            raise ValueError("no phone is paired")

    def write_secret(self, chat: str, wa_id: str, secret: bytes) -> None:
        """A message is about to leave."""
        statement = "INSERT INTO whatsmeow_message_secrets VALUES (?, ?, ?)"
        self._write(statement, chat, wa_id, secret)

    def _write(self, statement: str, *values: object) -> int:
        with closing(sqlite3.connect(self._path)) as connection:
            connection.execute("PRAGMA foreign_keys = on")
            rows = connection.execute(statement, values).rowcount
            connection.commit()
            return rows


class FakeMedia:
    """WhatsApp's media host in memory; ``failure`` is what both ways meet."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.uploads: list[bytes] = []
        self.failure: LyroxError | None = None

    async def download(self, ref: MediaRef, *, most: int, seconds: float) -> bytes:
        """The file at that path; what the limits mean is the real one's business."""
        assert most > 0
        assert seconds > 0
        if self.failure is not None:
            raise self.failure
        return self.files[ref.path]

    async def upload(self, data: bytes, mime: str) -> bytes:
        """Kept; a message refers to it by its kind and number."""
        if self.failure is not None:
            raise self.failure
        self.uploads.append(data)
        return f"{mime} {len(self.uploads)}".encode()


class FakeConnection:
    """One connection; ``failures`` are raised one a send."""

    def __init__(self, observer: Observer, session: Path, *, connects: bool = True) -> None:
        self.observer = observer
        self.connects = connects
        self.started = False
        self.stopped = asyncio.Event()
        self.logged_out = False
        self.queued = 0.0
        self.slow = 0.0
        self._line = asyncio.Lock()
        self.arriving: bytes | None = None
        self.typing_asked = 0
        self.typing_stuck: asyncio.Event | None = None
        self.sent: list[tuple[str, str]] = []
        self.typed: list[str] = []
        self.pictures: list[bytes | None] = []
        self.media = FakeMedia()
        self.read: list[tuple[str, list[str]]] = []
        self.failures: list[LyroxError] = []
        self.online = 0
        self.hears_typing = False
        self.arrives_anyway = False
        self._session = session

    async def start(self) -> None:
        """Registered at once, connected at once unless told otherwise, with nothing to catch up."""
        self.started = True
        self.observer.on_event(0, b"")
        if self.connects:
            self.observer.on_event(3, b"")
            self.observer.on_event(27, b"")
        if self.arriving is not None:
            self.observer.on_event(17, self.arriving)

    async def stop(self) -> None:
        """Over."""
        self.stopped.set()

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
        """Write what the client writes before the wire, then send."""
        del quote  # Nobody sees it here.
        await asyncio.sleep(self.queued)
        async with self._line:
            await asyncio.to_thread(first)
            ready()
            self.pictures.append(picture)
            await asyncio.sleep(self.slow)
            return self._send(chat, text, secret)

    def _send(self, chat: str, text: str, secret: bytes) -> str:
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, NotSent) or (failure is not None and not self.arrives_anyway):
            raise failure
        wa_id = "3EB0" + hashlib.sha256(secret).hexdigest()[:18].upper()
        file = SessionFile(self._session)
        file.write_secret(chat, wa_id, secret)
        file.turn_ratchet(f"{chat.partition('@')[0]}:0")
        self.sent.append((chat, text))
        if failure is not None:
            raise failure
        return wa_id

    async def log_out(self) -> None:
        """The phone forgets the device, and so does the file; a failure keeps both."""
        if self.failures:
            raise self.failures.pop(0)
        self.logged_out = True
        SessionFile(self._session).unpair()

    async def show_online(self) -> None:
        """Counted, unless a failure waits."""
        if self.failures:
            raise self.failures.pop(0)
        self.online += 1

    async def mark_read(self, chat: str, wa_ids: Sequence[str]) -> None:
        """Shown, unless a failure waits."""
        if self.failures:
            raise self.failures.pop(0)
        self.read.append((chat, list(wa_ids)))

    async def typing(self, chat: str, on: bool) -> None:
        """Shown, unless a failure waits or the line is stuck."""
        self.typing_asked += 1
        if self.typing_stuck is not None:
            await self.typing_stuck.wait()
        if self.failures:
            raise self.failures.pop(0)
        if on:
            self.typed.append(chat)


class FakeConnector:
    """Makes such connections; ``missing`` and ``why`` are what is wrong with the machine."""

    def __init__(self) -> None:
        self.made: dict[UUID, list[FakeConnection]] = {}
        self.connects = True
        self.failures: list[LyroxError] = []
        self.arriving: bytes | None = None
        self.missing = False
        self.why: str | None = None
        self.closed = False

    async def load(self) -> Protos:
        """The messages, without the library."""
        if self.missing:
            raise LibraryMissing("neonize is not installed")
        return read_protos()

    def connect(
        self, company_id: UUID, session: Path, observer: Observer, *, typing: bool = False
    ) -> Connection:
        """One more connection of the company."""
        connection = FakeConnection(observer, session, connects=self.connects)
        connection.failures, self.failures = self.failures, []
        connection.arriving, connection.hears_typing = self.arriving, typing
        self.made.setdefault(company_id, []).append(connection)
        return connection

    async def unreachable(self) -> str | None:
        """As told."""
        return self.why

    def close(self) -> None:
        """Nothing to give back."""
        self.closed = True
