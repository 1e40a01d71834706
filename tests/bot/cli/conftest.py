"""The command line as a test sees it: words in, exit code and output out."""

import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from bot.cli.main import main
from tests.conftest import MakeDatabase


@dataclass(frozen=True)
class Said:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


Lyrox = Callable[..., Said]
NUMBERS = itertools.count(1)


@pytest.fixture
def lyrox(capsys: pytest.CaptureFixture[str]) -> Iterator[Lyrox]:
    """Run the command line in this process; in a thread, since commands make their own loop."""
    with ThreadPoolExecutor(1) as thread:

        def run(*words: object) -> Said:
            capsys.readouterr()
            code = thread.submit(main, [str(word) for word in words]).result()
            return Said(code, *capsys.readouterr())

        yield run


def write_config(folder: Path, **sections: Mapping[str, object]) -> Path:
    path = folder / "config.toml"
    lines = []
    for section, values in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
async def database(make_database: MakeDatabase, template: str) -> AsyncIterator[str]:
    """One migrated database for all commands; each test works on companies of its own."""
    async with make_database(template) as url:
        yield url


@pytest.fixture
def slug() -> str:
    """The name of a company that no other test uses."""
    return f"acme-{next(NUMBERS)}"


@pytest.fixture
def config(
    tmp_path: Path, database: str, redis_url: str, mongo_url: str, mongo_database: str
) -> Path:
    """A configuration with real stores of its own."""
    stores = {
        "postgres": database,
        "redis": redis_url,
        "mongo": mongo_url,
        "mongo_database": mongo_database,
    }
    return write_config(tmp_path, stores=stores, whatsapp={"enabled": False})


class Loopback(ThreadingHTTPServer):
    """Answers every GET with the same status and body, and remembers the requests."""

    daemon_threads = True

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.status, self.body = status, body
        self.moved_to = ""
        self.asked: list[tuple[str, str | None]] = []

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Loopback)
        server.asked.append((self.path, self.headers.get("Authorization")))
        self.send_response(server.status)
        if server.moved_to:
            self.send_header("Location", server.moved_to)
        self.end_headers()
        self.wfile.write(server.body)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@pytest.fixture
def loopback() -> Iterator[Callable[[int, bytes], Loopback]]:
    """Start a small HTTP server that says one thing."""
    servers = []

    def start(status: int, body: bytes) -> Loopback:
        server = Loopback(status, body)
        servers.append(server)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
