"""What a daemon cannot start with: one sentence each, and the exit code that systemd reads."""

import asyncio
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.system.process import REPOSITORY, Home, Said
from tests.system.warm import Warm

MakeHome = Callable[..., Home]


@pytest.fixture
def make_home(tmp_path: Path, store_urls: dict[str, str]) -> MakeHome:
    """A home on the test stores, but for what a test changes about them."""

    def make(folder: str = "home", **changes: str) -> Home:
        return Home(
            tmp_path / folder, stores={**store_urls, **changes}, whatsapp={"enabled": False}
        )

    return make


def is_one_sentence(said: Said) -> bool:
    """One line for people, nothing of our insides."""
    lines = said.err.strip().splitlines()
    return len(lines) == 1 and lines[0].startswith("lyrox: ") and "Error(" not in lines[0]


async def test_a_store_that_cannot_be_reached_ends_with_75(
    nursery: Warm, make_home: MakeHome
) -> None:
    away = (
        ("postgres", "postgres://app@127.0.0.1:1/app", "PostgreSQL"),
        ("postgres", "postgres://app@/app?host=/nowhere", "PostgreSQL"),
        ("redis", "redis://127.0.0.1:1/0", "Redis"),
        ("mongo", "mongodb://127.0.0.1:1/", "MongoDB"),
    )
    homes = [make_home(f"{at}", **{store: url}) for at, (store, url, _) in enumerate(away)]

    ends = await asyncio.gather(
        *(nursery.lyrox(home, "run") for home in homes),
        *(nursery.lyrox(home, "worker") for home in homes),
    )

    for said, (_, _, named) in zip(ends, (*away, *away), strict=True):
        assert said.code == 75
        assert is_one_sentence(said), said.err
        assert named in said.err


async def test_an_unmigrated_database_is_refused_and_setup_migrates_it(
    nursery: Warm, make_home: MakeHome, bare_database: str
) -> None:
    home = make_home(postgres=bare_database)

    refused = [await nursery.lyrox(home, command) for command in ("run", "worker")]
    async with nursery.daemon(home, "--setup") as daemon:
        assert "migrated" in daemon.err

    for said in refused:
        assert said.code == 78
        assert is_one_sentence(said), said.err
        assert "lyrox db migrate" in said.err


async def test_a_database_newer_than_the_code_is_refused(
    nursery: Warm, make_home: MakeHome, database: str
) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute(
        "INSERT INTO tortoise_migrations (app, name, applied_at)"
        " VALUES ('models', '9999_tomorrow', now())"
    )
    await connection.close()

    for words in (("run",), ("run", "--setup")):
        said = await nursery.lyrox(make_home(), *words)

        assert said.code == 78
        assert is_one_sentence(said), said.err
        assert "9999_tomorrow" in said.err


async def test_a_role_that_bypasses_the_walls_is_refused(
    nursery: Warm, make_home: MakeHome, database: str, admin_url: str
) -> None:
    url = urlsplit(admin_url)._replace(path=urlsplit(database).path).geturl()

    said = await nursery.lyrox(make_home(postgres=url), "run")

    assert said.code == 78
    assert is_one_sentence(said), said.err
    assert "row-level security" in said.err


async def test_broken_toml_is_refused_with_its_place(nursery: Warm, make_home: MakeHome) -> None:
    home = make_home()
    home.config.write_text("[stores\npostgres = 1\n")

    said = await nursery.lyrox(home, "run")

    assert said.code == 78
    assert is_one_sentence(said), said.err
    assert "line 1" in said.err


async def test_all_wrong_settings_are_listed_at_once(nursery: Warm, make_home: MakeHome) -> None:
    home = make_home()
    wrong = '[stores]\npostgress = ""\n[limits]\nturns_per_host = "many"\n[web]\nlisten = 3\n'
    home.config.write_text(wrong)

    said = await nursery.lyrox(home, "run")

    assert said.code == 78
    for key in ("stores.postgress", "limits.turns_per_host", "web.listen"):
        assert key in said.err


async def test_a_missing_configuration_is_refused(nursery: Warm, make_home: MakeHome) -> None:
    home = make_home()
    home.config.unlink()

    said = await nursery.lyrox(home, "run")

    assert said.code == 78
    assert is_one_sentence(said), said.err


async def test_a_missing_prompt_file_is_refused(make_home: MakeHome, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    shutil.copytree(REPOSITORY / "prompts", packages / "prompts")
    (packages / "prompts" / "__init__.py").touch()  # So that nothing is looked for elsewhere.
    (packages / "prompts" / "es" / "rules.md").unlink()

    said = await make_home().lyrox("run", "--check", env={"PYTHONPATH": f"{packages}:{REPOSITORY}"})

    assert said.code == 78
    assert is_one_sentence(said), said.err
    assert "rules.md" in said.err


async def test_a_second_daemon_on_the_same_shard_ends_with_75(
    nursery: Warm, make_home: MakeHome
) -> None:
    home = make_home()
    async with nursery.daemon(home):
        said = await nursery.lyrox(home, "run")
        async with nursery.daemon(home, "--shard", 1):
            pass

    assert said.code == 75
    assert is_one_sentence(said), said.err
    assert "--shard" in said.err


async def test_a_port_in_use_ends_with_75(nursery: Warm, make_home: MakeHome) -> None:
    home = make_home()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        text = home.config.read_text().replace("127.0.0.1:0", place)
        home.config.write_text(text)

        said = await nursery.lyrox(home, "run")

    assert said.code == 75
    assert is_one_sentence(said), said.err
    assert place in said.err
