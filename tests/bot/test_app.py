"""How the daemon takes a wish to stop."""

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, os, signal
from bot.signals import stopping

async def main():
    stop = asyncio.Event()
    with stopping(stop):
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()
        await asyncio.sleep({pause})
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.1)
    print("stopped in peace")

asyncio.run(main())
"""


def stopped_twice(pause: float) -> tuple[int, str]:
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(pause=pause)],
        capture_output=True,
        text=True,
        check=False,
    )
    return said.returncode, said.stdout


def test_a_signal_that_make_passes_on_once_more_is_one_wish() -> None:
    assert stopped_twice(0.0) == (0, "stopped in peace\n")


@pytest.mark.slow
def test_who_asks_again_later_is_not_kept_waiting() -> None:
    assert stopped_twice(1.1) == (1, "")
