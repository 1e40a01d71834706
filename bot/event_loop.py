"""The daemon's event loop: uvloop, which wakes for a socket with less work than Python's own."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

Told = TypeVar("Told")


def run(main: Coroutine[Any, Any, Told]) -> Told:
    """As ``asyncio.run``, for a process that serves many sockets for long."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
