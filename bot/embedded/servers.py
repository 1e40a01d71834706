"""What a private server is, and the two simple ones: Valkey and mongod."""

import os
import socket
from collections.abc import Callable
from typing import IO, Protocol
from urllib.parse import quote

from bot.embedded.binaries import Search, lacks_libraries
from bot.embedded.place import MONGOD, VALKEY, Place
from bot.embedded.process import Command

Tell = Callable[[str], None]


class Server(Protocol):
    """What the keeper needs of a server."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...

    def uris(self) -> dict[str, str]:
        """The URLs that its users get, by name."""

    def prepare(self, lock: IO[str], tell: Tell) -> None:
        """Make its data folder where there is none; *lock* proves that nobody runs on it."""

    def command(self) -> Command:
        """How it is started."""

    def ready(self) -> bool:
        """Whether it answers; an OSError means not yet."""


def child_environment() -> dict[str, str]:
    """The keeper's own, which its client has already cleaned of all that is not needed."""
    return {**os.environ, "LC_ALL": "C"}


class Valkey:
    """Valkey on a Unix socket, with 64 databases and an append-only file."""

    name, title = VALKEY, "Valkey"

    def __init__(self, place: Place, *, fast: bool, search: Search) -> None:
        self._bin, self._fast = search.valkey(), fast
        self._data, self._socket = place.root / self.name, place.run / "valkey.sock"

    def uris(self) -> dict[str, str]:
        return {self.name: f"unix://{quote(str(self._socket))}?db=0"}

    def prepare(self, lock: IO[str], tell: Tell) -> None:  # noqa: ARG002 - the protocol's
        self._data.mkdir(mode=0o700, exist_ok=True)

    def command(self) -> Command:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "databases": "64",
            "dir": str(self._data),
            "save": "",
            "appendonly": "no" if self._fast else "yes",
            "appendfsync": "everysec",
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
        }
        words = [word for key, value in options.items() for word in (f"--{key}", value)]
        return Command((self._bin, *words), cwd=self._data, env=child_environment())

    def ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(str(self._socket))
            client.sendall(b"PING\r\n")
            return client.recv(7) == b"+PONG\r\n"


class Mongod:
    """One standalone mongod on a Unix socket: no transactions, no change streams."""

    name, title = MONGOD, "MongoDB"

    def __init__(self, place: Place, *, fast: bool, search: Search) -> None:  # noqa: ARG002
        self._place, self._search, self._bin = place, search, search.mongod()
        self._data, self._socket = place.root / self.name, place.run / "mongodb-27017.sock"
        self._environment = child_environment()

    def uris(self) -> dict[str, str]:
        at = quote(str(self._socket), safe="")
        return {self.name: f"mongodb://{at}/?journal=true&uuidRepresentation=standard"}

    def prepare(self, lock: IO[str], tell: Tell) -> None:  # noqa: ARG002 - the protocol's
        self._data.mkdir(mode=0o700, exist_ok=True)
        if lacks_libraries(self._bin):
            path = self._search.lend_libraries(self._place.root / "libraries")
            self._environment["LD_LIBRARY_PATH"] = path

    def command(self) -> Command:
        words = ["--dbpath", str(self._data), "--bind_ip", str(self._socket), "--quiet"]
        words += ["--unixSocketPrefix", str(self._place.run), "--wiredTigerCacheSizeGB", "0.25"]
        # Smaller journal files: 65 MB of disk instead of 301. Compressors: CVE-2025-14847.
        words += ["--wiredTigerEngineConfigString", "log=(file_max=64MB,prealloc=false)"]
        words += ["--networkMessageCompressors", "disabled"]
        # Its JavaScript engine needs memory that is writable and executable; the unit forbids that.
        words += ["--noscripting"]
        words += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        return Command((self._bin, *words), cwd=self._data, env=self._environment)

    def ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(str(self._socket))
        return True
