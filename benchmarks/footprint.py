"""How soon a daemon is ready and how much memory it holds, with its stores up already.

``python -m benchmarks.footprint [--seconds 5]`` starts the real ``lyrox run`` on private stores
of its own, a few times without and a few times with a session, and prints a table. Memory is
that of the daemon's process alone. The session is one that cannot connect: it costs the client
and all that goes with it, but no traffic.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.vitals import mib
from bot.embedded import services
from bot.seed import SLUG, pilot_id
from bot.whatsapp.files import CompanyFiles
from tests.fakes.connection import SessionFile

RUNS = 3
READY_TARGET, RSS_TARGET = 5.0, 190.0
READY_SECONDS = 60.0


@dataclass(frozen=True)
class Footprint:
    """One run: seconds from exec to ready, and MiB afterwards."""

    sessions: int
    ready: float
    rss: float
    peak: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="idle time before measuring")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="lyrox-footprint-") as folder:
        found = asyncio.run(measure(Path(folder), seconds))
    print(f"{'sessions':>8}  {'ready s':>8}  {'RSS MiB':>8}  {'peak MiB':>8}")
    for one in found:
        print(f"{one.sessions:>8}  {one.ready:>8.2f}  {one.rss:>8.1f}  {one.peak:>8.1f}")
    ready, rss = max(one.ready for one in found), max(one.rss for one in found)
    print(f"target: ready {READY_TARGET:g} s: {_met(ready, READY_TARGET)}")
    print(f"target: RSS {RSS_TARGET:g} MiB: {_met(rss, RSS_TARGET)}")


async def measure(folder: Path, seconds: float) -> list[Footprint]:
    """Some starts one after another; the first, which prepares the stores, does not count."""
    config = folder / "config.toml"
    config.write_text('[web]\nlisten = "127.0.0.1:0"\n', encoding="utf-8")
    async with services(folder / "var" / "stores"):
        await _once(config, 0, 0.0, "--setup")
        without = [await _once(config, 0, seconds) for _ in range(RUNS)]
        SessionFile(CompanyFiles(folder / "var" / "state", pilot_id(SLUG)).session).pair()
        return without + [await _once(config, 1, seconds) for _ in range(RUNS)]


async def _once(config: Path, sessions: int, seconds: float, *words: str) -> Footprint:
    began = time.monotonic()
    async with _daemon(config, *words) as (pid, stderr):
        async with asyncio.timeout(READY_SECONDS):
            while b" ready" not in await _line(stderr):
                continue
        ready = time.monotonic() - began
        await asyncio.sleep(seconds)
        return Footprint(sessions, ready, mib(pid, "VmRSS"), mib(pid, "VmHWM"))


@asynccontextmanager
async def _daemon(config: Path, *words: str) -> AsyncIterator[tuple[int, asyncio.StreamReader]]:
    lyrox = Path(sys.executable).with_name("lyrox")
    arguments = ("run", *words, "--config", str(config))
    process = await asyncio.create_subprocess_exec(
        lyrox, *arguments, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None  # noqa: S101 - Opened as a pipe above.
    try:
        yield process.pid, process.stderr
    finally:
        process.terminate()
        await process.communicate()


async def _line(stderr: asyncio.StreamReader) -> bytes:
    if line := await stderr.readline():
        return line
    raise RuntimeError("the daemon ended before it was ready")


def _met(value: float, target: float) -> str:
    return f"{'met' if value <= target else 'missed'} ({value:.1f})"


if __name__ == "__main__":
    main()
