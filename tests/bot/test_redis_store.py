"""The Redis door: scripts, bounded waits, one log line an outage, and wakes that survive."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from redis.exceptions import ResponseError

from bot.redis_store import REST_SECONDS, RedisStore, Script, lacks_command, open_redis
from bot.wakes import Wakes
from models.errors import RetryLater, StartupRefused, Unavailable
from tests.bot.conftest import PrivateValkey

DOUBLE = Script("return ARGV[1] * 2")


async def eventually_back(redis: RedisStore) -> None:
    async with asyncio.timeout(50):
        while True:
            try:
                return await redis.ping()
            except RetryLater:
                await asyncio.sleep(0.05)


async def test_a_script_is_sent_once_and_again_after_the_server_forgot_it(
    redis: RedisStore,
) -> None:
    once = Script(f"return ARGV[1] * 2 -- {uuid4()}")
    assert await redis.pipeline(("SCRIPT", "EXISTS", once.sha)) == [[0]]

    assert await redis.run(once, [], 21) == 42
    assert await redis.pipeline(("SCRIPT", "EXISTS", once.sha)) == [[1]]
    assert await redis.run(once, [], 4) == 8


async def test_scripts_of_one_moment_share_a_way_and_each_has_its_own_answer(
    redis_url: str,
) -> None:
    unseen = Script(f"return ARGV[1] * 3 -- {uuid4()}")
    length = Script("return redis.call('LLEN', KEYS[1])")
    name = f"together-{uuid4()}"
    async with open_redis(
        f"{redis_url}{'&' if '?' in redis_url else '?'}client_name={name}"
    ) as redis:
        await redis.set("text", "x")
        for script in (DOUBLE, length):
            with suppress(RetryLater):
                await redis.run(script, ["text"], 1)
        answers = await asyncio.gather(
            redis.run_together(length, ["text"]),
            redis.run_together(unseen, [], 2),
            *(redis.run_together(DOUBLE, [], number) for number in range(10)),
            return_exceptions=True,
        )
        [clients] = await redis.pipeline(("CLIENT", "LIST"))

    assert isinstance(answers[0], RetryLater)
    assert answers[1:] == [6, *(2 * number for number in range(10))]
    assert str(clients).count(name) == 1


async def test_a_script_runs_after_a_restart(private_valkey: PrivateValkey) -> None:
    async with open_redis(private_valkey.url) as redis:
        assert await redis.run(DOUBLE, [], 1) == 2
        private_valkey.kill()
        private_valkey.start()

        assert await redis.run(DOUBLE, [], 2) == 4


async def test_more_callers_than_connections_wait_for_their_turn(redis_url: str) -> None:
    async with open_redis(redis_url, connections=2) as redis:
        answers = await asyncio.gather(*(redis.run(DOUBLE, [], n) for n in range(50)))

    assert answers == [2 * n for n in range(50)]


async def test_a_refusal_is_told_as_retry_later_and_others_go_on(redis: RedisStore) -> None:
    await redis.set("text", "x")

    with pytest.raises(RetryLater, match="refused"):
        await redis.pipeline(("INCR", "text"))

    assert not redis.away
    assert redis.failures == 1
    assert await redis.get("text") == b"x"


@pytest.mark.parametrize(
    ("words", "lacking"),
    [(("NO_SUCH_COMMAND",), True), (("GET", "a list"), False), (("GET",), False)],
)
async def test_a_command_that_the_server_lacks_is_told_from_a_wrong_one(
    redis: RedisStore, words: tuple[str, ...], lacking: bool
) -> None:
    await redis.pipeline(("LPUSH", "a list", "1"))

    with pytest.raises(RetryLater) as refused:
        await redis.pipeline(words)

    assert isinstance(refused.value.__cause__, ResponseError)
    assert lacks_command(refused.value.__cause__) is lacking


async def test_an_outage_is_one_log_line_out_and_one_back_and_calls_fail_at_once(
    private_valkey: PrivateValkey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bot.redis_store")
    async with open_redis(private_valkey.url) as redis:
        private_valkey.kill()
        for _ in range(20):
            with pytest.raises(RetryLater):
                await redis.get("x")
        assert redis.away
        assert redis.failures == 20

        private_valkey.start()
        await eventually_back(redis)

        assert not redis.away
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_a_frozen_redis_is_waited_for_once_not_by_every_call(
    private_valkey: PrivateValkey,
) -> None:
    async with open_redis(private_valkey.url) as redis:
        private_valkey.freeze()
        began = time.monotonic()
        with pytest.raises(RetryLater):
            await redis.get("x")
        first = time.monotonic() - began
        with pytest.raises(RetryLater) as refused:
            await redis.get("x")

        assert first < 3
        assert time.monotonic() - began - first < 0.1
        assert refused.value.delay == REST_SECONDS
        private_valkey.thaw()
        await eventually_back(redis)


async def test_a_missing_redis_is_one_sentence_without_the_password(tmp_path: Path) -> None:
    url = f"unix://someone:hush@{tmp_path}/none.sock?db=0&password=hush"

    with pytest.raises(Unavailable, match="start it or correct") as refused:
        async with open_redis(url):
            pytest.fail("there is no server")

    assert "hush" not in str(refused.value)
    assert "none.sock" in str(refused.value)


@pytest.mark.parametrize("url", ["http://localhost", "localhost:6379", "redis://localhost:port"])
async def test_a_url_that_is_none_refuses_the_start(url: str) -> None:
    with pytest.raises(StartupRefused, match="redis"):
        async with open_redis(url):
            pytest.fail("this is no address")


@asynccontextmanager
async def listening(redis: RedisStore, *companies: UUID) -> AsyncIterator["Ear"]:
    ear = Ear(Wakes(redis))
    for company in companies:
        await ear.wakes.follow(company)
    listener = asyncio.create_task(ear.listen())
    try:
        yield ear
    finally:
        listener.cancel()
        await asyncio.wait([listener])


class Ear:
    """Listens and remembers; a wake may come before the subscription, so it asks again."""

    def __init__(self, wakes: Wakes) -> None:
        self.wakes = wakes
        self.heard: list[UUID] = []

    async def listen(self) -> None:
        async for company in self.wakes:
            self.heard.append(company)

    async def hears(self, redis: RedisStore, company: UUID) -> bool:
        """Whether a wake said now, or soon said again, is heard."""
        self.heard.clear()
        for attempt in range(400):
            if attempt % 10 == 0:
                with suppress(RetryLater):
                    await redis.wake(company)
            await asyncio.sleep(0.01)
            if company in self.heard:
                return True
        return False


async def test_a_wake_reaches_those_who_follow_the_company_and_nobody_else(
    redis: RedisStore,
) -> None:
    ours, others = uuid4(), uuid4()
    async with listening(redis, ours) as us, listening(redis, others) as them:
        assert await them.hears(redis, others)
        assert await us.hears(redis, ours)

        assert set(us.heard) == {ours}
        assert set(them.heard) <= {others}


async def test_companies_come_and_go_while_one_listens(redis: RedisStore) -> None:
    first, second = uuid4(), uuid4()
    async with listening(redis) as ear:
        await ear.wakes.follow(first)
        assert await ear.hears(redis, first)
        await ear.wakes.follow(second)
        assert await ear.hears(redis, second)

        await ear.wakes.unfollow(first)
        async with asyncio.timeout(5):
            while first in ear.heard or not ear.heard:
                ear.heard.clear()
                await redis.wake(first)
                await redis.wake(second)
                await asyncio.sleep(0.02)

        assert set(ear.heard) == {second}


async def test_wakes_are_heard_again_after_a_flush_and_after_a_restart(
    private_valkey: PrivateValkey,
) -> None:
    company = uuid4()
    async with open_redis(private_valkey.url) as redis, listening(redis, company) as ear:
        assert await ear.hears(redis, company)
        await redis.pipeline(("FLUSHALL",))
        assert await ear.hears(redis, company)

        private_valkey.kill()
        await asyncio.sleep(0.3)
        private_valkey.start()

        assert await ear.hears(redis, company)


async def test_a_cancel_at_any_step_of_a_call_ends_who_calls(redis: RedisStore) -> None:
    async def wake_for_ever() -> None:
        while True:
            await redis.wake(uuid4())

    await redis.ping()
    for steps in range(40):
        waking = asyncio.ensure_future(wake_for_ever())
        for _ in range(steps):
            await asyncio.sleep(0)
        waking.cancel()
        await asyncio.wait({waking}, timeout=10)
        assert waking.cancelled(), f"it went on, cancelled at step {steps}"
