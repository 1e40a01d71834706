"""Stores that belong to a test alone, so that it may kill them; their keeper starts them again."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from bot.embedded import services

_BACK_SECONDS = 60.0


@dataclass
class Store:
    """One server: its processes, and whether it answers."""

    name: str
    socket: Path
    _lock: Path
    _stop: signal.Signals
    _ping: Callable[[], Awaitable[None]]

    @property
    def pid(self) -> int:
        """The process that its keeper started last."""
        return int(self._lock.read_text(encoding="ascii"))

    async def kill(self) -> float:
        """kill -9; when it answered again."""
        return await self._end(signal.SIGKILL)

    async def restart(self) -> float:
        """Ended in good order; when it answered again."""
        return await self._end(self._stop)

    async def freeze(self, seconds: float) -> float:
        """Nothing of it runs for *seconds*; when it went on."""
        pids = [self.pid, *_children(self.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        return await self.back()

    async def back(self) -> float:
        """Wait until it answers; when that was."""
        end = time.monotonic() + _BACK_SECONDS
        while True:
            try:
                async with asyncio.timeout(2):
                    await self._ping()
                return time.monotonic()
            except (OSError, TimeoutError, asyncpg.PostgresError, PyMongoError):
                assert time.monotonic() < end, f"{self.name} does not come back"
                await asyncio.sleep(0.02)

    async def _end(self, how: signal.Signals) -> float:
        former = self.pid
        os.kill(former, how)
        while _lives(former):  # noqa: ASYNC110 - A process that is not ours.
            await asyncio.sleep(0.01)
        return await self.back()


@asynccontextmanager
async def private_stores(root: Path) -> AsyncIterator[tuple[dict[str, str], Mapping[str, Store]]]:
    """Their URLs, and the stores by the names of the configuration; as safe as a user's own."""
    async with services(root, fast=False) as uris:
        yield uris, _stores(root, uris)


def _stores(root: Path, uris: Mapping[str, str]) -> dict[str, Store]:
    valkey = Path(unquote(urlsplit(uris["valkey"]).path))
    mongod = Path(unquote(urlsplit(uris["mongod"]).hostname or ""))
    postgres = Path(parse_qs(urlsplit(uris["postgres"]).query)["host"][0], ".s.PGSQL.5432")

    async def ask_postgres() -> None:
        connection = await asyncpg.connect(uris["admin"], timeout=2)
        await connection.close()

    async def ask_valkey() -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, str(valkey))
            await loop.sock_sendall(client, b"PING\r\n")
            if not (await loop.sock_recv(client, 7)).startswith(b"+PONG"):
                raise OSError("not yet")

    async def ask_mongod() -> None:
        client: AsyncMongoClient[dict[str, Any]]
        async with AsyncMongoClient(uris["mongod"], serverSelectionTimeoutMS=500) as client:
            await client.admin.command("ping")

    def store(
        name: str, place: Path, stop: signal.Signals, ping: Callable[..., Awaitable[None]]
    ) -> Store:
        return Store(name, place, root / f"{name}.lock", stop, ping)

    return {
        "postgres": store("postgres", postgres, signal.SIGINT, ask_postgres),
        "redis": store("valkey", valkey, signal.SIGTERM, ask_valkey),
        "mongo": store("mongod", mongod, signal.SIGTERM, ask_mongod),
    }


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in found.split()]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split()[2] != "Z"
    except FileNotFoundError:
        return False
