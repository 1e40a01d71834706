"""SIGTERM and SIGINT ask the daemon to stop; who asks again later gets it at once."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

SAME_WISH_SECONDS = 1.0
"""Signals to stop within this time are one."""


@contextmanager
def stopping(stop: asyncio.Event) -> Iterator[None]:
    """The first SIGTERM or SIGINT asks to stop, one that comes later ends at once.

    Make passes a SIGTERM on that its whole process group got already: that is still the first.
    """
    loop = asyncio.get_running_loop()
    asked: list[float] = []

    def ask() -> None:
        asked.append(loop.time())
        if asked[-1] - asked[0] > SAME_WISH_SECONDS:
            os._exit(1)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
