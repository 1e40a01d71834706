"""Private stores are shared, and start only where they are wanted."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from bot.embedded import MONGOD, POSTGRES, VALKEY, services
from tests.bot.embedded.users import (
    ask_postgres,
    ask_valkey,
    owner_of,
    pid_of,
    postgres_is_ready,
    user,
)


def test_two_users_share_one_keeper_and_the_second_outlives_the_first(tmp_path: Path) -> None:
    with user(tmp_path, VALKEY) as first, user(tmp_path, VALKEY) as second:
        server = pid_of(tmp_path, VALKEY)

        first.leave()

        assert first.uris == second.uris
        assert pid_of(tmp_path, VALKEY) == server
        assert ask_valkey(second.uris, "PING") == "+PONG\r\n"


def test_many_first_starts_at_once_make_one_keeper(tmp_path: Path) -> None:
    processes = [user(tmp_path, VALKEY) for _ in range(4)]
    users = [process.__enter__() for process in processes]
    keeper = pid_of(tmp_path, "keeper")

    for one in users[:-1]:
        one.leave()

    assert len({json.dumps(one.uris) for one in users}) == 1
    assert pid_of(tmp_path, "keeper") == keeper
    assert ask_valkey(users[-1].uris, "PING") == "+PONG\r\n"
    for process in processes:
        process.__exit__(None, None, None)


async def test_only_what_is_wanted_starts_and_a_later_user_gets_the_rest(tmp_path: Path) -> None:
    with services(tmp_path, [VALKEY], fast=True) as first:
        assert first.keys() == {VALKEY}
        assert not (tmp_path / POSTGRES).exists()
        server = pid_of(tmp_path, VALKEY)

        with services(tmp_path, [POSTGRES, VALKEY], fast=True) as second:
            sql = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
            assert await ask_postgres(second[POSTGRES], sql) is False

        assert pid_of(tmp_path, VALKEY) == server
        assert not (tmp_path / MONGOD).exists()


def test_nothing_wanted_starts_nothing(tmp_path: Path) -> None:
    with services(tmp_path / "new", []) as uris:
        assert uris == {}

    assert not (tmp_path / "new").exists()


async def test_a_long_root_and_odd_letters_work(tmp_path: Path) -> None:
    root = tmp_path / ("very long and ñ odd%20 " * 5)

    with services(root, fast=True) as uris:
        assert await ask_postgres(uris["admin"], "SELECT 7") == 7
        assert ask_valkey(uris, "PING") == "+PONG\r\n"
        with MongoClient[dict[str, Any]](uris[MONGOD]) as mongo:
            assert mongo.admin.command("ping")["ok"]


def test_without_home_and_with_a_shells_postgres_variables_it_works_and_keeps_no_secret(
    root: Path,
) -> None:
    env = {"PATH": os.environ["PATH"], "PGPORT": "1", "PGDATABASE": "x", "LYROX_KEY": "s3cret"}

    with user(root, POSTGRES, VALKEY, env=env) as only:
        assert postgres_is_ready(root)
        assert Path(only.uris[POSTGRES].split("host=")[1], ".s.PGSQL.5432").exists()
        if sys.platform == "linux":
            seen = [
                Path(f"/proc/{pid_of(root, name)}/environ").read_bytes()
                for name in ("keeper", VALKEY)
            ]
            assert not any(b"s3cret" in environ for environ in seen)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
async def test_root_really_becomes_nobody_where_the_data_are_nobodys(tmp_path: Path) -> None:
    data = tmp_path / POSTGRES
    data.mkdir(mode=0o700)
    os.chown(data, 65534, 65534)
    for folder in tmp_path.parents:
        if folder.name.startswith(("pytest-", "popen-")):  # Made by pytest for root alone.
            folder.chmod(0o711)

    with services(tmp_path, [POSTGRES], fast=True) as uris:
        assert owner_of(pid_of(tmp_path, POSTGRES)) == 65534
        assert await ask_postgres(uris[POSTGRES], "SELECT 7") == 7


def test_long_steps_tell_what_they_do(tmp_path: Path) -> None:
    told: list[str] = []

    with services(tmp_path, fast=True, progress=told.append):
        pass

    assert told == [
        "starting private MongoDB…",
        "creating a private PostgreSQL (once)…",
        "starting private PostgreSQL…",
        "starting private Valkey…",
    ]
