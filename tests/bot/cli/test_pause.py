"""``lyrox pause`` and ``resume``: silence at once, and whoever hosts the session hears of it."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from redis import Redis

from tests.bot.cli.conftest import Lyrox

PHONE = "+13055550100"
SYSTEM = "SELECT set_config('app.company_id', $1, false), set_config('app.system', 'on', false)"


@pytest.fixture
async def system(database: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection that sees all companies."""
    connection = await asyncpg.connect(database)
    await connection.execute(SYSTEM.replace("$1", f"'{UUID(int=0)}'"))
    yield connection
    await connection.close()


@pytest.fixture
async def ana(system: "asyncpg.Connection[asyncpg.Record]", slug: str) -> UUID:
    """A customer of the company *slug*; her id."""
    owner, company, customer = uuid4(), uuid4(), uuid4()
    await system.execute(
        "INSERT INTO users(id, email, password_hash) VALUES ($1, $2, '-')",
        owner, f"{slug}@acme.test",
    )  # fmt: skip
    await system.execute(
        "INSERT INTO companies(id, owner_id, name, brand_personality, slug)"
        " VALUES ($1, $2, 'Acme', 'Eres Ana.', $3)",
        company, owner, slug,
    )  # fmt: skip
    await system.execute(
        "INSERT INTO customers(id, company_id, phone) VALUES ($1, $2, $3)",
        customer, company, PHONE,
    )  # fmt: skip
    return customer


async def chat_of(
    system: "asyncpg.Connection[asyncpg.Record]", ana: UUID
) -> tuple[datetime | None, str | None]:
    row = await system.fetchrow(
        "SELECT paused_until, pause_reason FROM customers WHERE id = $1", ana
    )
    assert row is not None
    return row["paused_until"], row["pause_reason"]


async def test_a_chat_is_silent_for_the_configured_time(
    lyrox: Lyrox, config: Path, slug: str, system: "asyncpg.Connection[asyncpg.Record]", ana: UUID
) -> None:
    said = lyrox("pause", slug, PHONE, "--config", config)

    assert said.code == 0
    until, reason = await chat_of(system, ana)
    assert until is not None
    assert timedelta(minutes=59) < until - datetime.now(UTC) <= timedelta(minutes=60)
    assert reason == "command"


async def test_a_chat_named_by_its_uuid_speaks_again_when_resumed(
    lyrox: Lyrox, config: Path, slug: str, system: "asyncpg.Connection[asyncpg.Record]", ana: UUID
) -> None:
    lyrox("pause", slug, PHONE, "--config", config)

    said = lyrox("resume", slug, ana, "--config", config)

    assert said.out == f"{PHONE} is answered again.\n"
    assert await chat_of(system, ana) == (None, None)


async def test_a_pause_never_shortens_a_longer_one(
    lyrox: Lyrox, config: Path, slug: str, system: "asyncpg.Connection[asyncpg.Record]", ana: UUID
) -> None:
    until = datetime.now(UTC) + timedelta(days=2)
    await system.execute(
        "UPDATE customers SET paused_until = $1, pause_reason = 'owner' WHERE id = $2", until, ana
    )

    said = lyrox("pause", slug, PHONE, "--config", config)

    assert "silent already" in said.out
    assert await chat_of(system, ana) == (until, "owner")


async def test_who_asked_for_silence_keeps_it(
    lyrox: Lyrox, config: Path, slug: str, system: "asyncpg.Connection[asyncpg.Record]", ana: UUID
) -> None:
    await system.execute("UPDATE customers SET opted_out = true WHERE id = $1", ana)

    assert "stays silent" in lyrox("resume", slug, PHONE, "--config", config).out


async def test_a_whole_company_is_silenced_and_resumed(
    lyrox: Lyrox, config: Path, slug: str, ana: UUID
) -> None:
    def paused() -> bool:
        said = lyrox("company", "show", slug, "--json", "--config", config)
        return bool(json.loads(said.out)["paused"])

    lyrox("pause", slug, "--config", config)
    assert paused()
    assert f"once {slug} is resumed" in lyrox("resume", slug, PHONE, "--config", config).out

    lyrox("resume", slug, "--config", config)
    assert not paused()


async def test_the_host_of_the_session_is_woken(
    lyrox: Lyrox, config: Path, slug: str, ana: UUID, redis_url: str
) -> None:
    with Redis.from_url(redis_url) as redis, redis.pubsub(ignore_subscribe_messages=True) as heard:
        heard.psubscribe("wake:*")
        heard.get_message(timeout=1)

        lyrox("resume", slug, "--config", config)

        message = heard.get_message(timeout=1)
    assert message is not None


def test_a_redis_that_is_away_does_not_keep_anybody_talking(
    lyrox: Lyrox, config: Path, slug: str, ana: UUID
) -> None:
    text = config.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("redis")]
    lines.insert(lines.index("[stores]") + 1, 'redis = "redis://127.0.0.1:9/0"')
    config.write_text("\n".join(lines), encoding="utf-8")

    assert lyrox("pause", slug, "--config", config).code == 0


async def test_a_customer_of_nobody_is_refused(
    lyrox: Lyrox, config: Path, slug: str, ana: UUID
) -> None:
    said = lyrox("pause", slug, "+13055550199", "--config", config)

    assert said.code == 2
    assert said.err.count("\n") == 1
