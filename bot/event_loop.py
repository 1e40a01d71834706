"""The daemon's event loop: uvloop, which wakes for a socket with less work than Python's own."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

Told = TypeVar("Told")

SWITCH_SECONDS = 0.001
"""How long a thread of the WhatsApp client waits at most before the loop lets it speak.

Python's own is 5 ms, as long as a whole send. In three pairs of runs of `benchmarks.sessions` 1 ms
carried 2 to 4 % more messages.
"""


def run(main: Coroutine[Any, Any, Told]) -> Told:
    """As ``asyncio.run``, for a process that serves many sockets for long."""
    sys.setswitchinterval(SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
