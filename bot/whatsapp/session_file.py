"""Questions to the client's own SQLite file, asked read-only from a process without the client.

The client brings its own SQLite and keeps the file open; two copies of SQLite in one process do
not see each other's locks. So only the settlement process and the pairing child (before it
loads the client) may import this.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote


class Damaged(Exception):
    """The file is no SQLite database any more, or one with holes; its text is SQLite's."""


def device(path: Path) -> dict[str, str] | None:
    """The paired device's ``jid``, ``lid`` and ``platform``, or None where nothing is paired.

    Raises Damaged for a file that the client could not work with.
    """
    for (finding,) in _ask(path, "PRAGMA quick_check(1)"):
        if finding != "ok":
            raise Damaged(finding)
    rows = _ask(path, "SELECT jid, coalesce(lid, ''), coalesce(platform, '') FROM whatsmeow_device")
    return dict(zip(("jid", "lid", "platform"), rows[0], strict=True)) if rows else None


def sent_id(path: Path, secret: bytes) -> str | None:
    """The id of the message that carries *secret*, if the client ever wrote one."""
    query = "SELECT message_id FROM whatsmeow_message_secrets WHERE key = ?"
    rows = _ask(path, query, (secret,))
    return str(rows[0][0]) if rows else None


def sessions_hash(path: Path, user: str) -> str:
    """A hash of the ratchets with *user* (phone or LID digits, either finds both)."""
    digest = hashlib.sha256()
    with _asking(path) as ask:
        known = ask("SELECT lid, pn FROM whatsmeow_lid_map WHERE lid = ? OR pn = ?", (user, user))
        for one in sorted({user, *(str(name) for row in known for name in row)}):
            # A session's name is user:device, or user_agent:device for a LID.
            for their_id, ratchet in ask(_RATCHETS, (f"{one}:*", f"{one}_*:*")):
                digest.update(f"{their_id}:{len(ratchet)}:".encode() + ratchet)
    return digest.hexdigest()


_RATCHETS = (
    "SELECT their_id, session FROM whatsmeow_sessions "
    "WHERE their_id GLOB ? OR their_id GLOB ? ORDER BY their_id"
)


def _ask(path: Path, query: str, values: Sequence[object] = ()) -> list[Any]:
    with _asking(path) as ask:
        return ask(query, values)


@contextmanager
def _asking(path: Path) -> Iterator[Callable[[str, Sequence[object]], list[Any]]]:
    """Questions to one file, which is opened once for all of them."""
    if not path.is_file():
        yield lambda *_: []
        return
    with _reading(path) as connection:
        yield lambda query, values: _answer(connection, query, values)


def _answer(connection: sqlite3.Connection, query: str, values: Sequence[object]) -> list[Any]:
    try:
        return connection.execute(query, values).fetchall()
    except sqlite3.DatabaseError as error:
        if "no such table" in str(error):
            return []
        raise _named(error) from error


def _named(error: sqlite3.DatabaseError) -> Exception:
    # An extended code keeps the plain one in its lowest byte.
    broken = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return Damaged(str(error)) if broken else OSError(str(error))


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    address = f"file:{quote(str(path))}?mode=ro"
    try:
        connection = sqlite3.connect(address, uri=True, timeout=10)
    except sqlite3.DatabaseError as error:
        raise _named(error) from error
    with closing(connection):
        yield connection
