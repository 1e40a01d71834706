"""A user's side of the private stores: join the keeper of a root, or start one."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType

from bot.embedded.place import MONGOD, POSTGRES, VALKEY, Place, locked, try_lock
from models.errors import StartupRefused, Unavailable

Progress = Callable[[str], None]
ALL = (POSTGRES, VALKEY, MONGOD)
_JOIN_SECONDS, _ANSWER_SECONDS, _LEAVE_SECONDS = 120.0, 90.0, 25.0
# No secret of the first user's environment may live on in the keeper.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PYTHONPATH", "TZ")
_PROGRAMS = ("LYROX_POSTGRES_BIN", "LYROX_VALKEY_SERVER", "LYROX_MONGOD")


class Services:
    """Private stores for as long as the ``with`` block lasts; made by `services`.

    Leaving it as the last user waits until the servers have flushed and ended.
    """

    def __init__(
        self, root: Path, names: Iterable[str], *, fast: bool, progress: Progress | None
    ) -> None:
        self._root, self._names, self._fast = root, list(names), fast
        self._progress = progress or (lambda _text: None)
        self._connection: socket.socket | None = None
        self._given_up = False

    def __enter__(self) -> dict[str, str]:
        if not self._names:
            return {}
        joined = False
        try:
            uris = self._join()
            joined = True
            return uris
        finally:
            if not joined:
                self._leave()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    async def __aenter__(self) -> dict[str, str]:
        import asyncio  # Not above: the keeper imports this package and must be up at once.

        try:
            return await asyncio.to_thread(self.__enter__)
        except asyncio.CancelledError:
            self._given_up = True
            if connection := self._connection:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        import asyncio

        await asyncio.to_thread(self._leave)

    def _join(self) -> dict[str, str]:
        place = Place.at(self._root)
        with self._locked(place.root / "start.lock", _JOIN_SECONDS):
            if (running := self._knock(place)) and (uris := self._ask(running)):
                return uris
            with self._locked(place.root / "keeper.lock", _LEAVE_SECONDS):
                pass  # The one before us has ended, and its servers with it.
            if uris := self._ask(self._start_keeper(place)):
                return uris
        raise Unavailable(
            f"{place.root}: the private stores did not start; {place.log('keeper')} says why"
        )

    def _locked(self, path: Path, seconds: float) -> AbstractContextManager[object]:
        return locked(path, seconds, given_up=lambda: self._given_up)

    def _knock(self, place: Place) -> socket.socket | None:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(place.door))
        except OSError:
            connection.close()
            return None
        return self._keep(connection)

    def _start_keeper(self, place: Place) -> socket.socket:
        ours, theirs = socket.socketpair()
        self._keep(ours)
        words = [sys.executable, "-P", "-m", "bot.embedded", str(place.root)]
        with theirs, place.log("keeper").open("ab") as log:
            starter = subprocess.Popen(
                [*words, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_environment(os.environ),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C in the terminal is for the user alone.
            )
        starter.wait()  # It goes on as its own child.
        return ours

    def _keep(self, connection: socket.socket) -> socket.socket:
        if self._connection:
            self._connection.close()
        self._connection = connection
        if self._given_up:
            connection.shutdown(socket.SHUT_RDWR)
        return connection

    def _ask(self, keeper: socket.socket) -> dict[str, str] | None:
        """The URLs, or None when the keeper went away without an answer."""
        keeper.settimeout(_ANSWER_SECONDS)
        wish = {"names": self._names, "fast": self._fast}
        try:
            keeper.sendall(json.dumps(wish).encode() + b"\n")
            with keeper.makefile("r", encoding="utf-8") as answers:
                for line in answers:
                    if uris := self._hear(json.loads(line)):
                        return uris
        except OSError:
            return None
        return None

    def _hear(self, said: Mapping[str, object]) -> dict[str, str] | None:
        match said:
            case {"progress": str(text)}:
                self._progress(text)
            case {"refused": str(text)}:
                raise StartupRefused(text)
            case {"unavailable": str(text)}:
                raise Unavailable(text)
            case {"ready": dict(uris)}:
                return uris
        return None

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with connection, suppress(OSError):  # It may be gone already, or be too slow.
            connection.settimeout(_LEAVE_SECONDS)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
        self._outlast_orphans()

    def _outlast_orphans(self) -> None:
        # Only where the keeper was killed do its servers end after it.
        keeper = try_lock(self._root / "keeper.lock")
        if keeper is None:
            return
        with keeper, suppress(Unavailable):
            for name in self._names:
                with locked(self._root / f"{name}.lock", _LEAVE_SECONDS):
                    pass


def services(
    root: Path | str,
    names: Iterable[str] = ALL,
    *,
    fast: bool = False,
    progress: Progress | None = None,
) -> Services:
    """``with services("var/stores", ["postgres"]) as uris``: private servers under *root*.

    Works with ``async with`` too. *uris* holds one URL for each name, and ``admin`` beside
    ``postgres``; servers that run already are shared, as they are. *fast* gives up durability
    for tests. *progress* hears each long step, from another thread under ``async with``.
    Raises StartupRefused or Unavailable with one sentence.
    """
    return Services(Path(root).absolute(), names, fast=fast, progress=progress)


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    kept = {name: ours[name] for name in (*_KEPT, *_PROGRAMS) if name in ours}
    home = str(Path(__file__).resolve().parents[2])
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, (home, ours.get("PYTHONPATH"))))
    return kept
