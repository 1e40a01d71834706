"""The daemon and the bare bot, one after the other, measured with the same accounts and load."""

import asyncio
import json
import os
import sqlite3
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.bench import say
from benchmarks.session_figures import Idle, Load, Match, Round, SessionFigures
from benchmarks.tenants import Tenants
from benchmarks.vitals import Vitals, vitals
from benchmarks.whatsapp import WhatsApp
from bot.config import WhatsApp as WhatsAppSettings
from bot.whatsapp.environment import exec_environment
from bot.whatsapp.files import CompanyFiles
from tests.system.process import Home, running

LOADS = {1: 20, 50: 4}
"""Customers of each session, by the number of sessions that get load."""
_WARM_UP = 2
_ONLINE_SECONDS = 120


@dataclass(frozen=True)
class Plan:
    """What one run does; *messages* are those of one load, over all customers.

    The bots take turns, *rounds* times each: a machine that is slower for a minute is it for both.
    """

    sessions: Sequence[int] = (1, 10, 50, 100)
    messages: int = 1000
    rounds: int = 5
    idle_seconds: float = 10.0
    settling_seconds: float = 3.0
    fast: bool = False
    loads: Mapping[int, int] = field(default_factory=lambda: dict(LOADS))
    name: str = "bench_sessions"
    redis_database: int = 3


class SessionBench:
    """Both bots on the session files under *home*; only one of them runs at a time."""

    def __init__(self, plan: Plan, server: WhatsApp, owned: Tenants, home: Home) -> None:
        self._plan = plan
        self._server = server
        self._tenants = owned
        self._home = home
        self._environment = exec_environment(WhatsAppSettings(), server.environment)

    async def measure(self) -> SessionFigures:
        """Pair, then every number of sessions in turn."""
        say(f"pairing {len(self._tenants.ids)} companies…")
        state_dir = str(self._home.state_dir)
        await self._server.do("seed", state_dir=state_dir, companies=self._tenants.ids)
        figures = SessionFigures()
        for count in self._plan.sessions:
            customers = self._plan.loads.get(count, 0)
            say(f"LYROX with {count} sessions…")
            idle, ours = await self._lyrox(count, customers)
            figures.idle.append(idle)
            if ours is not None:
                figures.matches.append(await self._match(count, customers, ours))
        return figures

    async def _match(self, count: int, customers: int, ours: Load | None) -> Match:
        """All rounds; of the first one *ours* has been measured already."""
        rounds = []
        for number in range(1, self._plan.rounds + 1):
            say(f"{count} sessions, round {number} of {self._plan.rounds}…")
            if ours is None:
                ours = await self._lyrox_loaded(count, customers)
            tuned = await self._bare(count, customers, "--wal")
            bare = await self._bare(count, customers)
            rounds.append(Round(ours, bare, tuned))
            ours = None
        return Match(count, customers, rounds)

    async def _lyrox(self, count: int, customers: int) -> tuple[Idle, Load | None]:
        await self._tenants.activate(count)
        began = time.monotonic()
        async with running(self._home, env=self._environment) as daemon:
            await daemon.ready()
            await self._connected(count)
            connected = time.monotonic() - began
            pid = daemon.process.pid
            looks = await self._idle(pid)
            load = await self._load(pid, count, customers) if customers else None
            stopping = time.monotonic()
            await daemon.stop()
            stopped = time.monotonic() - stopping
        return self._found(count, connected, looks, stopped), load

    async def _lyrox_loaded(self, count: int, customers: int) -> Load:
        async with running(self._home, env=self._environment) as daemon:
            await daemon.ready()
            await self._connected(count)
            load = await self._load(daemon.process.pid, count, customers)
            await daemon.stop()
        return load

    async def _connected(self, count: int) -> None:
        """The server knows it first, and the daemon says so a moment later."""
        await self._server.do("online", count=count, seconds=_ONLINE_SECONDS)
        while await self._online() < count:  # noqa: ASYNC110 - Another process knows it.
            await asyncio.sleep(0.05)

    async def _online(self) -> int:
        status = json.loads((await self._home.get("/status"))[1])
        return sum(company["reason"] == "online" for company in status["companies"])

    async def _idle(self, pid: int) -> tuple[Vitals, Vitals]:
        await asyncio.sleep(self._plan.settling_seconds)
        before = vitals(pid)
        await asyncio.sleep(self._plan.idle_seconds)
        return before, vitals(pid)

    def _found(
        self, count: int, connected: float, looks: tuple[Vitals, Vitals], stopped: float
    ) -> Idle:
        before, after = looks
        return Idle(
            sessions=count,
            connected_seconds=connected,
            rss=after.rss,
            threads=after.threads,
            fds=after.fds,
            cpu_percent=100 * (after.cpu_seconds - before.cpu_seconds) / self._plan.idle_seconds,
            stop_seconds=stopped,
        )

    async def _bare(self, count: int, customers: int, *words: str) -> Load:
        state_dir = self._home.state_dir
        files = [CompanyFiles(state_dir, one).session for one in self._tenants.ids[:count]]
        if not words:
            _leave_wal(files)
        async with _bare_bot([*words, *map(str, files)], self._environment) as pid:
            await self._server.do("online", count=count, seconds=_ONLINE_SECONDS)
            return await self._load(pid, count, customers)

    async def _load(self, pid: int, count: int, customers: int) -> Load:
        words: dict[str, Any] = {"companies": self._tenants.ids[:count], "customers": customers}
        await self._server.do("drive", messages=_WARM_UP, **words)
        await asyncio.sleep(self._plan.settling_seconds)
        before = vitals(pid)
        messages = max(1, self._plan.messages // (count * customers))
        found = await self._server.do("drive", messages=messages, **words)
        await asyncio.sleep(self._plan.settling_seconds)
        cpu_seconds = vitals(pid).cpu_seconds - before.cpu_seconds
        return Load(
            messages=found["replies"],
            per_second=found["per_second"],
            cpu_ms=1000 * cpu_seconds / max(1, found["replies"]),
            p50_ms=found["p50_ms"],
            p99_ms=found["p99_ms"],
            lost=found["lost"],
            wrong=found["wrong"],
        )


def _leave_wal(files: Sequence[Path]) -> None:
    """Give the files the mode in which the client makes them by itself; a file keeps its mode."""
    for file in files:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")


@asynccontextmanager
async def _bare_bot(words: Sequence[str], environment: Mapping[str, str]) -> AsyncIterator[int]:
    """The bare bot, told *words*, connected; yields its process's number."""
    bot = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.echo_bot", *words),
        stdin=PIPE,
        stdout=PIPE,
        env=os.environ | environment,
    )
    if bot.stdin is None or bot.stdout is None:
        raise RuntimeError("the bare bot was started without pipes")
    try:
        if await bot.stdout.readline() != b"ready\n":
            raise RuntimeError("the bare bot ended before it was ready")
        yield bot.pid
    finally:
        bot.stdin.close()
        await bot.wait()
