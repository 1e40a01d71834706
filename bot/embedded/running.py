"""Servers that run: started together, brought back when they crash, stopped together."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import IO

from bot.embedded.place import Place, locked, try_lock, write_pid
from bot.embedded.servers import Server, Tell
from models.errors import LyroxError, Unavailable

log = logging.getLogger(__name__)
START_SECONDS, STOP_SECONDS = 60.0, 20.0
_LOG_LIMIT = 5_000_000


class Running:
    """One server's process, now or soon again."""

    def __init__(self, server: Server, place: Place) -> None:
        self.server = server
        self._log = place.root / f"{server.name}.log"
        self._lock = place.root / f"{server.name}.lock"
        self._process: subprocess.Popen[bytes] | None = None
        self._crashes = 0
        self._not_before = 0.0

    def start(self, tell: Tell) -> None:
        """Start it; waits for what an earlier keeper's server may still be flushing."""
        self._end_orphan()
        with locked(self._lock, STOP_SECONDS) as lock:
            self._spawn(lock, tell)

    def wait(self, end: float) -> None:
        """Return when it answers, at the latest at *end* of the monotonic clock."""
        while not self._answers():
            if self._ended or time.monotonic() > end:
                raise Unavailable(
                    f"private {self.server.title} did not start: {self._last_words()};"
                    f" {self._log} has the rest"
                )
            time.sleep(0.01)

    def revive(self) -> None:
        """Start it again if it has ended, later each time."""
        if not self._ended or time.monotonic() < self._not_before:
            return
        lock = try_lock(self._lock)
        if lock is None:  # Its children are still ending.
            return
        self._crashes += 1
        self._not_before = time.monotonic() + min(10.0, self._crashes)
        log.warning("%s has ended: starting it again", self.server.name)
        with lock:
            try:
                self._spawn(lock, log.info)
            except (LyroxError, OSError) as error:  # A full disk must not end the other servers.
                log.warning("%s cannot be started now: %s", self.server.name, error)

    def ask_to_stop(self) -> None:
        """Send the signal that ends it in good order."""
        if self._process and not self._ended:
            self._process.send_signal(self.server.command().stop)

    def stop(self, end: float) -> None:
        """Wait for its end, and force it at *end*."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("%s did not stop in time: killed", self.server.name)
            self._process.kill()
            self._process.wait()

    @property
    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _answers(self) -> bool:
        try:
            return self.server.ready()
        except OSError:
            return False

    def _spawn(self, lock: IO[str], tell: Tell) -> None:
        self.server.prepare(lock, tell)
        tell(f"starting private {self.server.title}…")
        if self._log.exists() and self._log.stat().st_size > _LOG_LIMIT:
            self._log.replace(self._log.with_suffix(".log.old"))
        with self._log.open("ab") as output:
            self._process = self.server.command().spawn(log=output, lock=lock)
        write_pid(lock, self._process.pid)

    def _end_orphan(self) -> None:
        if sys.platform == "linux":
            return  # The kernel told it to stop when its keeper was killed.
        if lock := try_lock(self._lock):
            lock.close()
        else:
            os.kill(int(self._lock.read_text(encoding="ascii")), self.server.command().stop)

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1][-300:] if lines else "it said nothing"


def start_together(servers: Sequence[Server], place: Place, tell: Tell) -> dict[str, Running]:
    """Start them all, then wait for all; if one fails, none is left running."""
    started = {server.name: Running(server, place) for server in servers}
    end = time.monotonic() + START_SECONDS
    complete = False
    try:
        for running in started.values():
            running.start(tell)
        for running in started.values():
            running.wait(end)
        complete = True
    finally:
        if not complete:
            stop_together(list(started.values()))
    return started


def stop_together(running: Sequence[Running]) -> None:
    """Ask all at once, then wait for each."""
    for one in running:
        one.ask_to_stop()
    end = time.monotonic() + STOP_SECONDS
    for one in running:
        one.stop(end)
