"""What systemd hears from us, and when it hears nothing on purpose."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.sd_notify import Watchdog, extend, notify, watchdog_seconds


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    """The service manager's end of NOTIFY_SOCKET, in both forms that it takes."""
    address = str(tmp_path / "notify") if request.param == "path" else f"\0{tmp_path}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(address)
        ear.setblocking(False)
        yield ear


def _environ(systemd: socket.socket, **more: str) -> dict[str, str]:
    name = systemd.getsockname()
    address = "@" + name[1:].decode() if isinstance(name, bytes) else name
    return {"NOTIFY_SOCKET": address, **more}


def test_lines_arrive_as_one_datagram(systemd: socket.socket) -> None:
    assert notify("READY=1", "STATUS=3 of 4\ncompanies", environ=_environ(systemd))

    assert systemd.recv(1024) == b"READY=1\nSTATUS=3 of 4 companies"


def test_more_time_is_asked_for_in_microseconds(systemd: socket.socket) -> None:
    assert extend(4.5, environ=_environ(systemd))

    assert systemd.recv(1024) == b"EXTEND_TIMEOUT_USEC=4500000"


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/notify", "@nobody-listens-here"])
def test_where_nobody_listens_nothing_happens(address: str) -> None:
    assert not notify("READY=1", environ={"NOTIFY_SOCKET": address})


def test_a_full_socket_never_blocks_us(systemd: socket.socket) -> None:
    answers = [notify("STATUS=" + "x" * 4000, environ=_environ(systemd)) for _ in range(2000)]

    assert answers[0]
    assert not answers[-1]


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_only_our_own_watchdog_counts(environ: dict[str, str], seconds: float | None) -> None:
    assert watchdog_seconds(environ) == seconds


@pytest.mark.looptime
@pytest.mark.asyncio(loop_scope="function")
async def test_the_watchdog_is_fed_while_all_loops_turn_and_starved_once_one_stands(
    systemd: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    environ = _environ(systemd, WATCHDOG_USEC="3000000")
    watchdog = Watchdog(clock=loop.time, environ=environ)
    watchdog.expect("sweeper", within=2.5)
    beat = watchdog.expect("heart", within=2.5)

    running = asyncio.create_task(watchdog.run())
    for _ in range(9):
        await asyncio.sleep(1)
        beat()
    running.cancel()

    assert watchdog.stalled == ["sweeper"]
    assert not watchdog.fresh()
    assert systemd.recv(64) == systemd.recv(64) == b"WATCHDOG=1"
    with pytest.raises(BlockingIOError):
        systemd.recv(64)
    assert [record.getMessage() for record in caplog.records] == ["loops stand still"]


@pytest.mark.looptime
@pytest.mark.asyncio(loop_scope="function")
async def test_a_loop_that_ended_on_purpose_is_not_missed() -> None:
    watchdog = Watchdog(clock=asyncio.get_running_loop().time, environ={})
    watchdog.expect("sessions", within=1)
    watchdog.forget("sessions")

    await asyncio.sleep(5)

    assert watchdog.fresh()


@pytest.mark.looptime
@pytest.mark.asyncio(loop_scope="function")
async def test_the_loop_is_watched_for_lateness_also_without_systemd() -> None:
    late: list[float] = []
    watchdog = Watchdog(on_lag=late.append, environ={})

    running = asyncio.create_task(watchdog.run())
    await asyncio.sleep(3.5)
    running.cancel()

    assert late == [0.0, 0.0, 0.0]
