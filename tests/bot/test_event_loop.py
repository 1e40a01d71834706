import asyncio
import sys
from collections.abc import Iterator

import pytest
import uvloop

from bot import event_loop


@pytest.fixture(autouse=True)
def _switching() -> Iterator[None]:
    """Running it changes how threads of this process take turns."""
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


def test_it_runs_on_uvloop_and_lets_other_threads_speak_soon() -> None:
    async def look() -> tuple[bool, float]:
        return isinstance(asyncio.get_running_loop(), uvloop.Loop), sys.getswitchinterval()

    on_uvloop, seconds = event_loop.run(look())

    assert on_uvloop
    assert seconds == pytest.approx(event_loop.SWITCH_SECONDS)
