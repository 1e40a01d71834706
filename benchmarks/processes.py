"""The other processes of a benchmark: started, spoken to by lines, ended with the block."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

ANSWER_SECONDS = 60


class Process:
    """One of our modules in a process of its own."""

    def __init__(self, popen: "subprocess.Popen[bytes]") -> None:
        self._popen = popen

    @property
    def input(self) -> IO[bytes]:
        """Its standard input."""
        return _there(self._popen.stdin)

    def say(self, line: str) -> None:
        """Tell it a line."""
        self.input.write(line.encode() + b"\n")
        self.input.flush()

    def hear(self) -> str:
        """Its next line; raises when it has ended instead."""
        line = _there(self._popen.stdout).readline()
        if not line:
            raise RuntimeError(f"{self._popen.args!r} ended too early")
        return line.decode().strip()

    def told(self) -> Any:
        """Its next line, which is JSON."""
        return json.loads(self.hear())

    def expect(self, word: str) -> None:
        """Its next line must be *word*."""
        if (line := self.hear()) != word:
            raise RuntimeError(f"{self._popen.args!r} said {line!r} where {word!r} was due")


@contextmanager
def running(module: str, *words: str) -> Iterator[Process]:
    """``python -m module words…`` until the block ends; it stops when its input does."""
    command = [sys.executable, "-m", module, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as popen:
        try:
            yield Process(popen)
        finally:
            _there(popen.stdin).close()
            try:
                popen.wait(ANSWER_SECONDS)
            except subprocess.TimeoutExpired:
                popen.kill()


def _there(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("a process was started without pipes")
    return pipe
