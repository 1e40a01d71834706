"""How the end of what should run all the time ends the process."""

import asyncio

import pytest

from bot.cli.exits import guarded
from bot.loops import run_loops


async def nothing() -> None:
    """Neither a begin nor an end has anything to do here."""


def process_with(error: Exception) -> int:
    """The exit code of a process one of whose loops ends with *error* after a while."""

    async def breaks() -> None:
        await asyncio.sleep(0.01)
        raise error

    async def run() -> int:
        loops = {"heart": asyncio.Event().wait(), "sweeper": breaks()}
        await run_loops(loops, asyncio.Event(), begun=nothing, finish=nothing)
        return 0

    return guarded(lambda: asyncio.run(run()))


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(13, "Permission denied", "/srv/x"),
        FileNotFoundError(2, "No such file or directory", "/srv/x"),
        BrokenPipeError(32, "Broken pipe"),
        ExceptionGroup("sessions", [OSError(28, "No space left on device")]),
        KeyError("x"),
    ],
)
def test_a_loop_that_fails_is_a_crash_which_is_started_afresh(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert process_with(error) == 70
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert type(error).__name__ in told
