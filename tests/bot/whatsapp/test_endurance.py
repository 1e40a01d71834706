"""The real client over and over, in a process of its own: one race in it would end that process."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from benchmarks.vitals import Vitals, children, vitals
from benchmarks.whatsapp import whatsapp
from bot.config import Daemon, Settings
from bot.whatsapp.pairing import pair
from tests.whatsapp_server.hosted import Hosted, executing

pytestmark = [pytest.mark.whatsapp, pytest.mark.slow]

_PROGRAM = str(Path(__file__).with_name("cycling.py"))
# What the client never gives back of a start: measured are up to 0.5 MB and 4 descriptors.
_LEAKED_MIB, _LEAKED_FDS = 0.6, 5
_FEW_THREADS, _FEW_MIB = 20, 30


@asynccontextmanager
async def cycling(folder: Path, count: int) -> AsyncIterator[Hosted]:
    """The program with *count* paired companies, all connected once."""
    companies = [str(uuid4()) for _ in range(count)]
    state_dir = str(folder / "state")
    async with whatsapp(folder / "server") as server:
        await server.do("seed", state_dir=state_dir, companies=companies)
        words = (_PROGRAM, state_dir, *companies)
        async with executing(*words, environment=server.environment) as program:
            await program.until(event="ready", seconds=120)
            yield program


async def endure(program: Hosted, deed: str, *, rounds: int, starts: int) -> None:
    """Let it do that, and look at what it leaves behind."""
    before = vitals(program.process.pid)
    doing = asyncio.ensure_future(program.do(deed, rounds=rounds, seconds=900))
    dying = asyncio.ensure_future(program.process.wait())
    await asyncio.wait({doing, dying}, return_when=asyncio.FIRST_COMPLETED)
    assert program.process.returncode is None, "the client ended the process"
    dying.cancel()
    answer = await doing
    after = vitals(program.process.pid)
    assert answer["value"]["calls"] > rounds
    assert not answer["value"]["ended"]
    assert_bounded(before, after, starts)


def assert_bounded(before: Vitals, after: Vitals, starts: int) -> None:
    """No thread stays, and no more than the client's own leaks."""
    assert after.threads <= before.threads + _FEW_THREADS
    assert after.fds <= before.fds + _LEAKED_FDS * starts
    assert after.rss <= before.rss + _FEW_MIB + _LEAKED_MIB * starts


async def test_some_cycles_and_storms_leave_the_process_alive(tmp_path: Path) -> None:
    async with cycling(tmp_path, 4) as program:
        await endure(program, "cycles", rounds=2, starts=6)
        await endure(program, "storms", rounds=2, starts=6)


@pytest.mark.timeout(900)
async def test_500_cycles_leave_the_process_alive_and_its_threads_files_and_memory_bounded(
    tmp_path: Path,
) -> None:
    async with cycling(tmp_path, 11) as program:
        await endure(program, "cycles", rounds=50, starts=500)


@pytest.mark.timeout(600)
async def test_20_storms_of_parallel_starts_leave_the_process_alive(tmp_path: Path) -> None:
    async with cycling(tmp_path, 31) as program:
        await endure(program, "storms", rounds=20, starts=600)


@pytest.mark.timeout(300)
async def test_20_abandoned_pairings_leave_no_thread_process_or_descriptor(
    tmp_path: Path,
) -> None:
    settings = Settings(daemon=Daemon(state_dir=tmp_path / "state"))

    async def abandon(environ: Mapping[str, str]) -> str:
        async with aclosing(pair(uuid4(), settings, environ=environ)) as events:
            return (await anext(events)).event

    async with whatsapp(tmp_path / "server") as server:
        environ = os.environ | server.environment
        await abandon(environ)  # What stays once, stays from the first time on.
        before, threads = holdings(), set(threading.enumerate())
        for _ in range(10):
            assert set(await asyncio.gather(abandon(environ), abandon(environ))) == {"qr"}

        assert holdings() == before
        assert staying(set(threading.enumerate()) - threads) == []


def holdings() -> tuple[list[int], int]:
    """Children and descriptors of this process."""
    return children(os.getpid()), vitals(os.getpid()).fds


def staying(threads: Collection[threading.Thread]) -> list[threading.Thread]:
    """Those that do not end; the one that waited for a child ends a moment after it."""
    for thread in threads:
        thread.join(10)
    return [thread for thread in threads if thread.is_alive()]
