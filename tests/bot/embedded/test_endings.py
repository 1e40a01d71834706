"""Whoever is killed, private stores leave no orphan and lose nothing."""

import asyncio
import os
import signal
from pathlib import Path
from threading import Thread
from typing import Any

import asyncpg
import pytest
from pymongo import MongoClient

from bot.embedded import MONGOD, POSTGRES, VALKEY, services
from bot.embedded.place import locked
from tests.bot.embedded.users import (
    ALL,
    all_have_ended,
    ask_postgres,
    ask_valkey,
    eventually,
    has_ended,
    pid_of,
    postgres_is_ready,
    user,
)


def test_a_killed_user_leaves_no_orphan(root: Path) -> None:
    with user(root) as only:
        assert not any(has_ended(root, name) for name in ALL)

        only.process.kill()

        assert eventually(lambda: all_have_ended(root))


async def test_the_last_user_leaves_only_after_the_servers_and_finds_all_data_again(
    root: Path,
) -> None:
    with services(root) as uris:
        await ask_postgres(uris[POSTGRES], "CREATE TABLE kept AS SELECT 7 AS value")
        ask_valkey(uris, "SET kept 7")
        with MongoClient[dict[str, Any]](uris[MONGOD]) as mongo:
            mongo.test.kept.insert_one({"value": 7})
    ended = all_have_ended(root)

    async with services(root) as uris:
        assert await ask_postgres(uris[POSTGRES], "SELECT value FROM kept") == 7
        assert ask_valkey(uris, "GET kept") == "$1\r\n7\r\n"
        with MongoClient[dict[str, Any]](uris[MONGOD]) as mongo:
            assert mongo.test.kept.count_documents({"value": 7}) == 1

    assert ended
    assert all_have_ended(root)


def test_a_killed_keeper_takes_its_servers_along_and_the_next_start_is_clean(
    root: Path,
) -> None:
    with user(root):
        os.kill(pid_of(root, "keeper"), signal.SIGKILL)

        with services(root, fast=True) as uris:  # At once, while the old ones still flush.
            answer = ask_valkey(uris, "PING")

    assert answer == "+PONG\r\n"
    assert eventually(lambda: all_have_ended(root))


async def test_a_killed_server_comes_back(root: Path) -> None:
    with services(root, [POSTGRES, VALKEY], fast=True) as uris:
        before = {name: pid_of(root, name) for name in (POSTGRES, VALKEY)}
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)

        assert eventually(lambda: ask_valkey(uris, "PING") == "+PONG\r\n")
        assert eventually(lambda: pid_of(root, POSTGRES) != before[POSTGRES])
        assert eventually(lambda: postgres_is_ready(root))
        assert await ask_postgres(uris[POSTGRES], "SELECT 7") == 7


def test_ctrl_c_reaches_the_user_and_not_the_servers(tmp_path: Path) -> None:
    with user(tmp_path, VALKEY) as only:
        os.killpg(only.process.pid, signal.SIGINT)
        os.kill(pid_of(tmp_path, "keeper"), signal.SIGTERM)
        os.kill(pid_of(tmp_path, "keeper"), signal.SIGINT)

        only.process.wait(15)

    assert has_ended(tmp_path, VALKEY)
    assert "signal" in (tmp_path / "keeper.log").read_text()
    assert "User requested shutdown" in (tmp_path / "valkey.log").read_text()


async def test_a_pid_file_from_before_a_crash_does_not_stop_the_next_start(root: Path) -> None:
    with services(root, [POSTGRES], fast=True):
        text = (root / POSTGRES / "postmaster.pid").read_text()
    lines = text.splitlines()
    stale = "\n".join([str(os.getppid()), *lines[1:]])  # A pid that is alive, and not ours.
    (root / POSTGRES / "postmaster.pid").write_text(stale)

    with services(root, [POSTGRES], fast=True) as uris:
        assert await ask_postgres(uris[POSTGRES], "SELECT 7") == 7


async def test_a_start_given_up_half_way_leaves_nothing_running(tmp_path: Path) -> None:
    begun, loop = asyncio.Event(), asyncio.get_running_loop()

    def heard(_: str) -> None:
        loop.call_soon_threadsafe(begun.set)

    async def start() -> None:
        async with services(tmp_path, fast=True, progress=heard):
            await asyncio.sleep(60)

    starting = asyncio.ensure_future(start())
    await begun.wait()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting

    assert await asyncio.to_thread(eventually, lambda: all_have_ended(tmp_path))


def test_a_start_given_up_while_another_starts_does_not_wait_for_it(tmp_path: Path) -> None:
    async def start() -> None:
        async with services(tmp_path, [VALKEY], fast=True):
            pass

    async def give_up() -> None:
        starting = asyncio.ensure_future(start())
        await asyncio.sleep(0.1)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

    with locked(tmp_path / "start.lock", 1):
        command = Thread(target=lambda: asyncio.run(give_up()))
        command.start()
        command.join(10)
        ended = not command.is_alive()
    command.join()

    assert ended
    assert not (tmp_path / "keeper.log").exists()


async def test_it_soon_knows_how_a_new_ledger_has_grown(root: Path) -> None:
    async with services(root, [POSTGRES]) as uris:
        connection = await asyncpg.connect(uris["admin"])
        every = await connection.fetchval("SHOW autovacuum_naptime")
        await connection.close()

    assert every == "5s"
