"""The daemon's event loop: uvloop, which wakes for a socket with less work than Python's own."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

Told = TypeVar("Told")

SWITCH_SECONDS = 0.001
"""How long a thread of the WhatsApp client waits at most before the loop lets it speak.

Python's own 5 ms are most of the time of a send where the loop is busy: in `benchmarks.sessions`
1 ms carried 2 to 3 % more messages with the same work.
"""


def run(main: Coroutine[Any, Any, Told]) -> Told:
    """As ``asyncio.run``, for a process that serves many sockets for long."""
    sys.setswitchinterval(SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
