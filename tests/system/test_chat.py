"""``lyrox chat``: a customer in the terminal, with a daemon and without one."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pymongo import MongoClient

from tests.builders import admin, make_company
from tests.conftest import MakeDatabase
from tests.system.process import Home, Said
from tests.system.warm import Child, Warm

COMPANY = "panaderia"


@pytest.fixture(scope="module")
async def url(make_database: MakeDatabase, template: str) -> AsyncIterator[str]:
    async with make_database(template) as url:
        await make_company(url, slug=COMPANY)
        yield url


@pytest.fixture(scope="module")
async def look(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await admin(url)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
def history(mongo_client: MongoClient[dict[str, Any]], slot: int) -> Iterator[str]:
    name = f"chat_{slot}"
    yield name
    mongo_client.drop_database(name)


def at_home(folder: Path, url: str, stores: dict[str, str], slot: int, history: str) -> Home:
    redis = stores["valkey"].replace("db=0", f"db={slot}")
    section = {"postgres": url, "redis": redis, "mongo": stores["mongod"]}
    return Home(
        folder,
        stores={**section, "mongo_database": history},
        whatsapp={"enabled": False},
        limits={"messages_per_minute": 0},
    )


@pytest.fixture(scope="module")
def alone(
    tmp_path_factory: pytest.TempPathFactory,
    url: str,
    stores: dict[str, str],
    slot: int,
    history: str,
) -> Home:
    """A home in which no daemon runs."""
    return at_home(tmp_path_factory.mktemp("alone"), url, stores, slot, history)


@pytest.fixture(scope="module")
async def joined(
    tmp_path_factory: pytest.TempPathFactory,
    nursery: Warm,
    url: str,
    stores: dict[str, str],
    slot: int,
    history: str,
) -> AsyncIterator[tuple[Home, Child]]:
    """A home in which a daemon runs."""
    home = at_home(tmp_path_factory.mktemp("joined"), url, stores, slot, history)
    async with nursery.daemon(home) as daemon:
        yield home, daemon


@pytest.fixture(params=["with a daemon", "without one"])
def home(request: pytest.FixtureRequest, alone: Home) -> Home:
    if request.param == "without one":
        return alone
    found: tuple[Home, Child] = request.getfixturevalue("joined")
    return found[0]


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A customer of the test's own."""
    return f"n{abs(hash(request.node.nodeid)) % 10**12}"


async def say(nursery: Warm, home: Home, name: str, text: str, *words: object) -> Said:
    return await nursery.lyrox(home, "chat", COMPANY, "--as", name, "--once", text, *words)


async def test_a_question_is_answered_on_stdout_alone(
    nursery: Warm, home: Home, name: str, look: asyncpg.Connection
) -> None:
    said = await say(nursery, home, name, "¿cuánto cuesta?")

    assert (said.code, said.err) == (0, "")
    assert "98.00" in said.out
    row = await look.fetchrow(
        "SELECT o.channel, o.state FROM outbox o WHERE chat = $1", f"cli:{name}"
    )
    assert row is not None
    assert tuple(row) == ("terminal", "sent")


async def test_with_a_daemon_it_is_the_daemon_that_answers(
    nursery: Warm, joined: tuple[Home, Child], name: str, look: asyncpg.Connection
) -> None:
    home, _ = joined
    await say(nursery, home, name, "hola")

    host = await look.fetchval("SELECT host_id FROM turns WHERE chat = $1", f"cli:{name}")
    assert str(host) == (home.state_dir / "shard-0.id").read_text().strip()


async def test_json_is_one_document_with_reply_and_state(
    nursery: Warm, home: Home, name: str
) -> None:
    said = await say(nursery, home, name, "hola", "--json")

    assert said.json()["state"] == "answered"
    assert len(said.json()["reply"]) == 1


async def test_a_silent_turn_says_why_and_exits_3(nursery: Warm, home: Home, name: str) -> None:
    await say(nursery, home, name, "hola")
    paused = await nursery.lyrox(home, "pause", COMPANY, f"cli:{name}")

    said = await say(nursery, home, name, "¿sigues ahí?")
    told = await say(nursery, home, name, "¿sigues ahí?", "--json")

    assert paused.code == 0
    assert (said.code, said.out) == (3, "")
    assert "paused" in said.err
    assert told.code == 3
    assert told.json()["state"] == "silent"
    assert "paused" in told.json()["reason"]


async def test_without_an_answer_in_time_it_exits_4_and_the_message_is_kept(
    nursery: Warm, alone: Home, name: str, look: asyncpg.Connection
) -> None:
    said = await say(nursery, alone, name, "hola", "--wait", 0)

    assert (said.code, said.out) == (4, "")
    assert "kept" in said.err
    kept = "SELECT state FROM inbox WHERE chat = $1"
    assert await look.fetchval(kept, f"cli:{name}") == "pending"


async def test_two_at_once_get_their_own_answers(
    nursery: Warm, home: Home, name: str, look: asyncpg.Connection
) -> None:
    one, other = await asyncio.gather(
        say(nursery, home, f"{name}a", "hola"), say(nursery, home, f"{name}b", "¿cuánto cuesta?")
    )

    assert (one.code, other.code) == (0, 0)
    assert "98.00" not in one.out
    assert "98.00" in other.out
    for end in "ab":
        sent = "SELECT count(*) FROM outbox WHERE chat = $1"
        assert await look.fetchval(sent, f"cli:{name}{end}") == 1


async def test_half_a_character_as_an_argument_is_no_crash(
    nursery: Warm, alone: Home, name: str
) -> None:
    said = await say(nursery, alone, name, "hola \udcff\ud83d")

    assert (said.code, said.err) == (0, "")


async def test_whatever_is_typed_gets_an_answer_or_a_reason(
    nursery: Warm, joined: tuple[Home, Child], name: str
) -> None:
    home, daemon = joined
    strange = (
        b"hola\x00hola",
        b"\xff\xfe",
        "👋🏽😀🇲🇽".encode(),
        "\u202ealoh\u202c \u200fمرحبا".encode(),
        b"\x01\x1b[31m",
        b"x" * 65_536,
    )
    typed = b"\n\n".join((*strange, "¿cuánto cuesta?\n".encode()))

    said = await nursery.lyrox(home, "chat", COMPANY, "--as", name, "--json", typed=typed)

    assert said.code == 0, said.err
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert len(lines) == len(strange) + 1
    assert all(line["reply"] or line["reason"] for line in lines)
    assert "98.00" in lines[-1]["reply"][0]
    assert "Traceback" not in said.err + daemon.err


@pytest.mark.parametrize("words", [("--as", "x" * 17), ("--wait", "soon"), ("--wait", "-1")])
async def test_bad_arguments_are_told_in_a_sentence(
    nursery: Warm, alone: Home, words: tuple[str, ...]
) -> None:
    said = await nursery.lyrox(alone, "chat", COMPANY, "--once", "hola", *words)

    assert said.code == 2
    assert said.err.count("\n") == 1


async def test_an_unknown_company_is_told_in_a_sentence(nursery: Warm, alone: Home) -> None:
    said = await nursery.lyrox(alone, "chat", "nobody", "--as", "ana", "--once", "hola")

    assert said.code == 2
    assert "nobody" in said.err
