"""The keeper: the one process that owns a root's servers, and ends when its last user has gone.

A user is a connection. The kernel closes it with its process, so a killed user is noticed like
one that says good-bye. The protocol is one JSON object a line: the user asks ``{"names", "fast"}``
and hears ``{"progress"}`` lines, then one of ``{"ready"}``, ``{"refused"}``, ``{"unavailable"}``.
"""

import json
import logging
import os
import selectors
import signal
import socket
from pathlib import Path

from bot.embedded.binaries import Search
from bot.embedded.place import MONGOD, POSTGRES, VALKEY, Place, locked, write_pid
from bot.embedded.postgres import Postgres
from bot.embedded.running import Running, start_together, stop_together
from bot.embedded.servers import Mongod, Server, Valkey
from models.errors import LyroxError, StartupRefused

log = logging.getLogger(__name__)
TICK = 0.25


class Keeper:
    """Serves users until none is left."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._running: dict[str, Running] = {}
        self._users: set[socket.socket] = set()
        self._last: socket.socket | None = None
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX)

    def run(self, first: socket.socket) -> None:
        """Own the servers from the *first* user's question to the last one's end."""
        self._open_door()
        try:
            self._welcome(first)
            while self._users:
                self._tick()
        finally:
            self._listener.close()  # Whoever knocks now hears it and starts a new keeper.
            stop_together(list(self._running.values()))

    def _open_door(self) -> None:
        self._place.door.unlink(missing_ok=True)
        self._listener.bind(str(self._place.door))
        self._listener.listen(64)
        self._selector.register(self._listener, selectors.EVENT_READ)

    def _tick(self) -> None:
        for key, _ in self._selector.select(TICK):
            if key.fileobj is self._listener:
                self._welcome(self._listener.accept()[0])
            elif isinstance(key.fileobj, socket.socket):
                self._farewell(key.fileobj)
        for running in self._running.values():
            running.revive()

    def _welcome(self, user: socket.socket) -> None:
        self._users.add(user)
        self._selector.register(user, selectors.EVENT_READ)
        try:
            user.settimeout(5)
            with user.makefile("r", encoding="utf-8") as file:
                wish = json.loads(file.readline())
            _say(user, ready=self._provide(wish["names"], fast=wish["fast"], user=user))
        except StartupRefused as error:
            _say(user, refused=str(error))
        except LyroxError as error:
            _say(user, unavailable=str(error))
        except (OSError, ValueError, KeyError) as error:
            log.warning("a user could not be served: %r", error)
            self._farewell(user)

    def _provide(self, names: list[str], *, fast: bool, user: socket.socket) -> dict[str, str]:
        missing = sorted(set(names) - set(self._running))  # MongoDB is the slowest, and the first.
        new = [self._server(name, fast=fast) for name in missing]
        started = start_together(new, self._place, lambda text: _say(user, progress=text))
        self._running |= started
        uris: dict[str, str] = {}
        for name in names:
            uris |= self._running[name].server.uris()
        return uris

    def _server(self, name: str, *, fast: bool) -> Server:
        kinds: dict[str, type[Postgres] | type[Valkey] | type[Mongod]] = {
            POSTGRES: Postgres,
            VALKEY: Valkey,
            MONGOD: Mongod,
        }
        return kinds[name](self._place, fast=fast, search=Search())

    def _farewell(self, user: socket.socket) -> None:
        self._selector.unregister(user)
        self._users.discard(user)
        if self._users:
            user.close()
        else:
            self._last = user  # Stays open until we have ended: that is what it waits for.


def _say(user: socket.socket, **line: object) -> None:
    try:
        user.sendall(json.dumps(line).encode() + b"\n")
    except OSError:
        log.info("a user went while it was served")


def main(root: Path, descriptor: int) -> None:
    """Become the keeper of *root* for the user at the other end of *descriptor*."""
    first = socket.socket(fileno=descriptor)
    if os.fork():  # Nobody's child: no user has to reap us, and none's end is ours.
        os._exit(0)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _later)
    place = Place.at(root)
    with locked(place.root / "keeper.lock", 30) as lock:
        write_pid(lock, os.getpid())
        Keeper(place).run(first)


def _later(number: int, _frame: object) -> None:
    log.info("signal %s: ending when the last user has gone", number)
