"""Users of private stores in processes of their own, and what can be seen of the servers."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg

from bot.embedded import MONGOD, POSTGRES, VALKEY
from bot.embedded.place import try_lock

REPOSITORY = Path(__file__).resolve().parents[3]
ALL = (POSTGRES, VALKEY, MONGOD)
USER = """
import json, signal, sys
from bot.embedded import services
from models.errors import LyroxError
try:
    with services(sys.argv[1], sys.argv[2].split(), fast=True) as uris:
        print(json.dumps(uris), flush=True)
        sys.stdin.read()
        print("flushing", flush=True)
        sys.stdin.read()
except LyroxError as error:
    print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
"""


class User:
    """Another process that holds the private stores until its input ends."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert process.stdout
        self.uris: dict[str, str] = json.loads(process.stdout.readline())

    def leave(self) -> None:
        self.process.communicate(timeout=30)


@contextmanager
def user(root: Path, *names: str, env: Mapping[str, str] | None = None) -> Iterator[User]:
    with subprocess.Popen(
        [sys.executable, "-c", USER, str(root), " ".join(names or ALL)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env=env,
        start_new_session=True,
    ) as process:
        try:
            yield User(process)
        finally:
            process.kill()


def ask_valkey(uris: Mapping[str, str], command: str) -> str:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(unquote(urlsplit(uris[VALKEY]).path))
        client.sendall(command.encode() + b"\r\n")
        return client.recv(1000).decode()


async def ask_postgres(url: str, sql: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def has_ended(root: Path, name: str) -> bool:
    lock = try_lock(root / f"{name}.lock")
    if lock:
        lock.close()
    return lock is not None


def all_have_ended(root: Path) -> bool:
    return all(has_ended(root, name) for name in (*ALL, "keeper"))


def pid_of(root: Path, name: str) -> int:
    return int((root / f"{name}.lock").read_text())


def owner_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def eventually(claim: Callable[[], bool], seconds: float = 50) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if claim():
                return True
        except OSError:
            pass
        time.sleep(0.02)
    return False


def postgres_is_ready(root: Path) -> bool:
    return "ready" in (root / POSTGRES / "postmaster.pid").read_text()
