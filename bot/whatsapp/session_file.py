"""Questions to the client's own SQLite file, asked read-only from a process without the client.

The client brings its own SQLite and keeps the file open; two copies of SQLite in one process do
not see each other's locks. So only the settlement process and the pairing child (before it
loads the client) may import this.
"""

import hashlib
import sqlite3
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import closing
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


class Ratchets:
    """Hashes of ratchets, from files that stay open: each send asks, and most ask the same few.

    At most *most* are open, with 64 KiB of each in memory; the one that was not asked for the
    longest goes first.
    """

    def __init__(self, most: int = 128) -> None:
        self._most = most
        self._open: OrderedDict[Path, tuple[_Identity, sqlite3.Connection]] = OrderedDict()

    def sessions_hash(self, path: Path, user: str) -> str:
        """A hash of the ratchets with *user* (phone or LID digits, either finds both)."""
        connection = self._opened(path)
        digest = hashlib.sha256()
        if connection is None:
            return digest.hexdigest()
        try:
            _answer(connection, "PRAGMA cache_size = -64", ())
            for their_id, ratchet in _answer(connection, RATCHETS, {"user": user}):
                digest.update(f"{their_id}:{len(ratchet)}:".encode() + ratchet)
        except (Damaged, OSError):
            self._close(path)
            raise
        return digest.hexdigest()

    def close(self) -> None:
        """Let go of all files."""
        for path in list(self._open):
            self._close(path)

    def _opened(self, path: Path) -> sqlite3.Connection | None:
        """None where there is no file; another one than before, under the same name, is opened."""
        identity = _identity(path)
        known = self._open.get(path)
        if known is not None and known[0] == identity:
            self._open.move_to_end(path)
            return known[1]
        if known is not None:
            self._close(path)
        if identity is None:
            return None
        connection = _connected(path)
        self._open[path] = (identity, connection)
        if len(self._open) > self._most:
            self._close(next(iter(self._open)))
        return connection

    def _close(self, path: Path) -> None:
        self._open.pop(path)[1].close()


_Identity = tuple[int, int]
RATCHETS = """
WITH person(name) AS (
  SELECT :user UNION SELECT lid FROM whatsmeow_lid_map WHERE pn = :user
  UNION SELECT pn FROM whatsmeow_lid_map WHERE lid = :user
), named(low, high, form) AS (
  SELECT name || ':', name || ';', name || ':*' FROM person
  UNION ALL SELECT name || '_', name || '`', name || '_*:*' FROM person
)
SELECT their_id, session FROM named CROSS JOIN whatsmeow_device CROSS JOIN whatsmeow_sessions
 WHERE our_jid = jid AND their_id >= low AND their_id < high AND their_id GLOB form
 ORDER BY their_id
"""
"""A session's name is user:device, or user_agent:device of a LID.

All customers' are in one table, whose key is (our_jid, their_id), and each send asks: so it is read
by that key, in this order of the tables.
"""


_RATCHETS_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'whatsmeow_sessions'"


def _identity(path: Path) -> _Identity | None:
    """Device and inode, which no other file has while we keep this one open."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _ask(path: Path, query: str, values: Sequence[object] = ()) -> list[Any]:
    if not path.is_file():
        return []
    with closing(_connected(path)) as connection:
        return _answer(connection, query, values)


def _answer(
    connection: sqlite3.Connection, query: str, values: Sequence[object] | Mapping[str, object]
) -> list[Any]:
    try:
        return connection.execute(query, values).fetchall()
    except sqlite3.DatabaseError as error:
        if "no such table" not in str(error):
            raise _named(error) from error
        # Without ratchets nothing was ever sent; with them, a part of the file has gone.
        if _answer(connection, _RATCHETS_TABLE, ()):
            raise Damaged(str(error)) from error
        return []


def _named(error: sqlite3.DatabaseError) -> Exception:
    # An extended code keeps the plain one in its lowest byte.
    broken = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return Damaged(str(error)) if broken else OSError(str(error))


def _connected(path: Path) -> sqlite3.Connection:
    address = f"file:{quote(str(path))}?mode=ro"
    try:
        return sqlite3.connect(address, uri=True, timeout=10)
    except sqlite3.DatabaseError as error:
        raise _named(error) from error
