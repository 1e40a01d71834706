"""A newcomer's first minutes: `lyrox run --setup` with private stores, as a real process."""

import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.embedded.place import MONGOD, POSTGRES, VALKEY, try_lock
from tests.system.process import Daemon, Home, Said, running
from tests.system.warm import Warm

COMPANY = "emilio-born-pilot"
STORES = (POSTGRES, VALKEY, MONGOD)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A new home; its name is short, so that the sockets of its stores are in it too."""
    return Home(tmp_path_factory.mktemp("h"))


@contextlib.contextmanager
def listening_as_systemd(place: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(place))
        door.setblocking(False)
        yield door


def heard(door: socket.socket) -> list[str]:
    """Every line the daemon has told systemd so far."""
    lines: list[str] = []
    with contextlib.suppress(BlockingIOError):
        while True:
            lines += door.recv(4096).decode().splitlines()
    return lines


def still_running(home: Home) -> list[str]:
    """Private servers, and their keeper, that have not ended."""
    alive = []
    for name in (*STORES, "keeper"):
        lock = try_lock(home.data_dir / f"{name}.lock")
        if lock is None:
            alive.append(name)
        else:
            lock.close()
    return alive


async def chat(nursery: Warm, home: Home, name: str, text: str) -> Said:
    return await nursery.lyrox(home, "chat", COMPANY, "--as", name, "--once", text)


async def status(nursery: Warm, home: Home) -> dict[str, Any]:
    said = await nursery.lyrox(home, "status", "--json")
    found: dict[str, Any] = said.json()
    return found


@pytest.fixture(scope="module")
async def first_life(home: Home, nursery: Warm) -> tuple[Daemon, dict[str, Any]]:
    """A first start, one conversation, and a stop by SIGTERM."""
    seen: dict[str, Any] = {}
    door_at = home.folder / "notify"
    with listening_as_systemd(door_at) as door:
        async with running(home, "--setup", env={"NOTIFY_SOCKET": str(door_at)}) as daemon:
            await daemon.ready()
            seen["told"] = heard(door)
            seen["answer"] = await chat(nursery, home, "ana", "hola, ¿cuánto cuesta?")
            seen["health"] = [await home.get(path) for path in ("/healthz", "/readyz")]
            seen["status"] = await status(nursery, home)
            seen["code"] = await daemon.stop()
            seen["left"] = still_running(home)
            seen["told at the end"] = heard(door)
    return daemon, seen


@pytest.fixture(scope="module")
async def second_life(
    home: Home, first_life: tuple[Daemon, dict[str, Any]]
) -> AsyncIterator[Daemon]:
    async with running(home) as daemon:
        await daemon.ready()
        yield daemon


async def test_the_first_start_prepares_everything_and_says_how_to_go_on(
    first_life: tuple[Daemon, dict[str, Any]],
) -> None:
    daemon, seen = first_life

    for words in ("creating a private PostgreSQL", "migrated", "temporary password", "is running"):
        assert words in daemon.said
    assert "stores: postgres private, redis private, mongo private" in daemon.said
    assert "language model: offline" in daemon.said
    assert f"lyrox chat {COMPANY}" in daemon.said
    assert f"lyrox pair {COMPANY}" in daemon.said
    assert "98.00" in seen["answer"].out
    assert [code for code, _ in seen["health"]] == [200, 200]
    assert seen["status"]["ready"] is True


async def test_sigterm_ends_with_0_when_the_stores_have_ended(
    first_life: tuple[Daemon, dict[str, Any]], home: Home
) -> None:
    _, seen = first_life

    assert (seen["code"], seen["left"]) == (0, [])


async def test_systemd_hears_that_it_is_ready_and_that_it_stops(
    first_life: tuple[Daemon, dict[str, Any]],
) -> None:
    _, seen = first_life

    assert "READY=1" in seen["told"]
    assert any(line.startswith("STATUS=") for line in seen["told"])
    assert "STOPPING=1" not in seen["told"]
    assert "STOPPING=1" in seen["told at the end"]


async def test_the_next_start_finds_everything(
    second_life: Daemon, home: Home, nursery: Warm
) -> None:
    assert "migrated" not in second_life.said
    shown = await nursery.lyrox(home, "product", "list", COMPANY)

    assert "98.00" in shown.out
    assert (await status(nursery, home))["companies"][0]["slug"] == COMPANY


@pytest.mark.parametrize("store", STORES)
async def test_a_private_store_that_is_killed_comes_back_and_nothing_is_lost(
    second_life: Daemon, home: Home, nursery: Warm, store: str
) -> None:
    server = int((home.data_dir / f"{store}.lock").read_text())

    os.kill(server, signal.SIGKILL)
    said = await chat(nursery, home, f"after-{store}", "¿cuánto cuesta?")
    while said.code == 75:
        assert len(said.err.splitlines()) == 1, said.err
        said = await chat(nursery, home, f"after-{store}", "¿cuánto cuesta?")

    assert said.code == 0, said.err
    assert said.out.count("98.00") == 1
    assert second_life.process.returncode is None


async def test_ctrl_c_ends_with_0_when_the_stores_have_ended(
    second_life: Daemon, home: Home
) -> None:
    assert await second_life.stop(signal.SIGINT) == 0
    assert still_running(home) == []
    assert not list(home.state_dir.glob("shard-*.json"))


async def test_without_a_daemon_a_chat_runs_by_itself_and_leaves_nothing_running(
    second_life: Daemon, home: Home, nursery: Warm
) -> None:
    if second_life.process.returncode is None:
        await second_life.stop()

    said = await chat(nursery, home, "ana", "¿y el plan?")
    asked = await nursery.lyrox(home, "status")

    assert (said.code, asked.code) == (0, 3)
    assert "98.00" in said.out
    assert "lyrox run" in asked.out
    assert still_running(home) == []
