"""Real processes of ours for the tests, started and stopped as a person or systemd would.

Whatever happens to a test, or to the test run, no process outlives it.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
import tomllib
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from bot.shard import announcements

REPOSITORY = Path(__file__).resolve().parents[2]
LYROX = Path(sys.executable).with_name("lyrox")
QUICK = {
    "quiet_seconds": 0.1,
    "longest_seconds": 1.0,
    "pace_seconds_per_character": 0.0,
    "pace_longest_seconds": 0.0,
}
_DIE_WITH_PARENT = 1


@dataclass(frozen=True)
class Said:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Its output as one JSON document."""
        return json.loads(self.out)


class Home:
    """A folder with a ``config.toml``, and with the state directory it names."""

    def __init__(self, folder: Path, **sections: Mapping[str, Any]) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.state_dir = folder / "var" / "state"
        self.data_dir = folder / "var" / "stores"
        folder.mkdir(parents=True, exist_ok=True)
        web = {"listen": "127.0.0.1:0", "worker_listen": "127.0.0.1:0"}
        self.write(
            {"web": web, "conversation": QUICK, "daemon": {"drain_seconds": 5.0}, **sections}
        )

    def change(self, section: str, **values: Any) -> None:
        """Have these keys of a section say something else from the next start on."""
        sections = tomllib.loads(self.config.read_text(encoding="utf-8"))
        self.write({**sections, section: {**sections.get(section, {}), **values}})

    def write(self, sections: Mapping[str, Any]) -> None:
        """Put these sections, and no others, into the configuration."""
        self.config.write_text("\n".join(_toml(sections)) + "\n", encoding="utf-8")

    def listens(self, shard: int) -> str:
        """Where a daemon answers. Raises KeyError where it does not run."""
        return announcements(self.state_dir)[shard]

    async def lyrox(self, *words: object, env: Mapping[str, str] | None = None) -> Said:
        """Run one command as a process of its own."""
        async with spawned(LYROX, *words, "--config", self.config, env=env) as process:
            out, err = await process.communicate()
        return Said(process.returncode or 0, out.decode(), err.decode())

    async def get(self, path: str, shard: int = 0) -> tuple[int, str]:
        """Ask a daemon's listener."""
        return await self.ask(self.listens(shard), path)

    async def ask(self, listen: str, path: str) -> tuple[int, str]:
        """Ask any listener."""
        return await asyncio.to_thread(_get, f"http://{listen}{path}")


class Daemon:
    """A running daemon and every line it has said."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._new = asyncio.Event()
        self._reading = asyncio.ensure_future(self._read())

    @property
    def said(self) -> str:
        """All it has said so far."""
        return "\n".join(self.lines)

    async def until(self, words: str, *, seconds: float = 50) -> str:
        """Wait for the line that holds *words*; fails at once when the daemon has ended."""
        async with asyncio.timeout(seconds):
            while True:
                for line in self.lines:
                    if words in line:
                        return line
                assert not self._reading.done(), f"ended without {words!r}:\n{self.said}"
                self._new.clear()
                await self._new.wait()

    async def ready(self) -> None:
        """Wait until it takes messages, and has said how to use it."""
        await self.until("companies: ")

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(how)
        return await self.ended()

    async def kill(self) -> None:
        """As if the power had gone, for this process alone."""
        self.process.kill()
        await self.ended()

    async def ended(self, seconds: float = 50) -> int:
        """Wait for its end; its exit code."""
        async with asyncio.timeout(seconds):
            code = await self.process.wait()
            await self._reading
        return code

    async def _read(self) -> None:
        stream = self.process.stderr
        while stream is not None and (line := await stream.readline()):
            self.lines.append(line.decode(errors="replace").rstrip("\n"))
            self._new.set()
        self._new.set()


@contextlib.asynccontextmanager
async def spawned(
    program: Path,
    *words: object,
    env: Mapping[str, str] | None = None,
    stdin: int = DEVNULL,
    stderr: int | None = PIPE,
) -> AsyncIterator[Process]:
    """One program with pipes at its outputs; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(str(program), *map(str, words)),
        stdin=stdin,
        stdout=PIPE,
        stderr=stderr,
        cwd="/",
        env=_environment(env or {}),
        preexec_fn=_die_with_parent,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@contextlib.asynccontextmanager
async def running(
    home: Home, *words: object, env: Mapping[str, str] | None = None
) -> AsyncIterator[Daemon]:
    """``lyrox run`` on *home*, not necessarily ready yet; stopped at the end if it still runs."""
    async with spawned(LYROX, "run", *words, "--config", home.config, env=env) as process:
        daemon = Daemon(process)
        try:
            yield daemon
        finally:
            if process.returncode is None:
                await daemon.stop()


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Ours, without what would reach a daemon by accident."""
    foreign = ("LYROX_", "NOTIFY_SOCKET", "WATCHDOG_", "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "PYTHONPATH": str(REPOSITORY), **extra}


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def _get(url: str) -> tuple[int, str]:
    from urllib.error import HTTPError

    try:
        with urlopen(url, timeout=10) as answer:  # noqa: S310 - Our own listener.
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def _toml(sections: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, values in sections.items():
        lists = {key: value for key, value in values.items() if _is_tables(value)}
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(values[key])}" for key in values.keys() - lists.keys()]
        for key, tables in lists.items():
            for table in tables:
                lines.append(f"[[{name}.{key}]]")
                lines += [f"{inner} = {json.dumps(value)}" for inner, value in table.items()]
    return lines


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)
