"""The other processes of a benchmark: started, spoken to by lines, ended with the block."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

ANSWER_SECONDS = 60


class Process:
    """One of our modules in a process of its own."""

    def __init__(self, popen: "subprocess.Popen[bytes]") -> None:
        self._popen = popen

    @property
    def input(self) -> IO[bytes]:
        """Its standard input."""
        assert self._popen.stdin is not None
        return self._popen.stdin

    def say(self, line: str) -> None:
        """Tell it a line."""
        self.input.write(line.encode() + b"\n")
        self.input.flush()

    def hear(self) -> str:
        """Its next line; raises when it has ended instead."""
        assert self._popen.stdout is not None
        line = self._popen.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._popen.args!r} ended too early")
        return line.decode().strip()


@contextmanager
def running(module: str, *words: str) -> Iterator[Process]:
    """``python -m module words…`` until the block ends; it stops when its input does."""
    command = [sys.executable, "-m", module, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as popen:
        try:
            yield Process(popen)
        finally:
            assert popen.stdin is not None
            popen.stdin.close()
            try:
                popen.wait(ANSWER_SECONDS)
            except subprocess.TimeoutExpired:
                popen.kill()
