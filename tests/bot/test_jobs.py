"""The doorbell on a real Valkey, through taskiq."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest

from bot.jobs import JOBS_AT_ONCE, QUEUE, RING_SECONDS, Doorbell, open_doorbell
from bot.redis_store import RedisStore, open_redis
from models.errors import RetryLater
from tests.bot.conftest import PrivateValkey

Chat = tuple[UUID, UUID]
AT = datetime(2026, 3, 1, 6, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=-6)))
CHAT: Chat = (
    UUID("0b9a2f5e-0d2a-4c39-9d2b-3f1f1c7f0001"),
    UUID("5b9a2f5e-0d2a-4c39-9d2b-3f1f1c7f0002"),
)
AWAY = 8.0
"""Longer than a restarted listener ever waits."""


@asynccontextmanager
async def answering(doorbell: Doorbell, heard: list[Chat]) -> AsyncIterator[None]:
    answer = asyncio.create_task(doorbell.answer(lambda *chat: heard.append(chat)))
    try:
        yield
    finally:
        doorbell.stop()
        await asyncio.wait_for(answer, 5)


async def until(claim: Callable[[], bool]) -> None:
    for _ in range(500):
        if claim():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not come true in five seconds")


async def hears(doorbell: Doorbell, heard: list[Chat]) -> Chat:
    """Ring for a new chat until it is heard, as the server may be coming back."""
    chat = (uuid4(), uuid4())
    async with asyncio.timeout(AWAY):
        while chat not in heard:
            try:
                await doorbell.ring(*chat, "M1", AT)
            except RetryLater:
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.1)
    return chat


async def test_the_job_on_the_list_is_exactly_the_documents(
    redis: RedisStore, redis_url: str
) -> None:
    async with open_doorbell(redis_url) as doorbell:
        await doorbell.ring(*CHAT, '3EB0"ñ\ud83d', AT)

    [jobs] = await redis.pipeline(("LRANGE", "message_processing", 0, -1))
    assert [json.loads(job) for job in jobs] == [
        {
            "companyId": "0b9a2f5e-0d2a-4c39-9d2b-3f1f1c7f0001",
            "customerId": "5b9a2f5e-0d2a-4c39-9d2b-3f1f1c7f0002",
            "message": '3EB0"ñ\ud83d',
            "timestamp": "2026-03-01T12:00:00.123+00:00",
        }
    ]


async def test_rings_of_one_moment_go_there_in_one_call_and_keep_their_order(
    private_valkey: PrivateValkey,
) -> None:
    async with open_doorbell(private_valkey.url) as doorbell:
        await asyncio.gather(*(doorbell.ring(*CHAT, f"M{n}", AT) for n in range(20)))

    async with open_redis(private_valkey.url) as redis:
        jobs, calls = await redis.pipeline(("LRANGE", QUEUE, 0, -1), ("INFO", "commandstats"))
    assert [json.loads(job)["message"] for job in reversed(jobs)] == [f"M{n}" for n in range(20)]
    assert calls["cmdstat_lpush"]["calls"] == 1


async def test_who_answers_hears_every_ring_in_order(redis_url: str, redis: RedisStore) -> None:
    chats = [(uuid4(), uuid4()) for _ in range(50)]
    heard: list[Chat] = []
    async with open_doorbell(redis_url) as doorbell:
        for chat in chats[:25]:
            await doorbell.ring(*chat, "M1", AT)
        async with answering(doorbell, heard):
            for chat in chats[25:]:
                await doorbell.ring(*chat, "M1", AT)
            await until(lambda: len(heard) == 50)

    assert heard == chats
    assert await redis.pipeline(("EXISTS", QUEUE)) == [0]


async def test_what_waits_is_taken_off_the_list_together_and_heard_in_order(
    private_valkey: PrivateValkey,
) -> None:
    chats = [(uuid4(), uuid4()) for _ in range(3 * JOBS_AT_ONCE)]
    heard: list[Chat] = []
    async with open_doorbell(private_valkey.url) as doorbell:
        await asyncio.gather(*(doorbell.ring(*chat, "M1", AT) for chat in chats))
        async with answering(doorbell, heard):
            await until(lambda: len(heard) == len(chats))

    async with open_redis(private_valkey.url) as redis:
        [calls] = await redis.pipeline(("INFO", "commandstats"))
    assert heard == chats
    assert calls["cmdstat_blmpop"]["calls"] <= 4  # The last waits for a fourth.


async def test_a_server_that_cannot_give_many_gives_them_one_by_one(
    private_valkey: PrivateValkey,
) -> None:
    chats = [(uuid4(), uuid4()) for _ in range(5)]
    heard: list[Chat] = []
    async with open_redis(private_valkey.url) as redis:
        await redis.pipeline(("ACL", "SETUSER", "default", "-blmpop"))
    async with open_doorbell(private_valkey.url) as doorbell:
        await asyncio.gather(*(doorbell.ring(*chat, "M1", AT) for chat in chats))
        async with answering(doorbell, heard):
            await until(lambda: len(heard) == len(chats))

    assert heard == chats


async def test_a_wait_that_an_operator_ends_goes_on(private_valkey: PrivateValkey) -> None:
    heard: list[Chat] = []
    async with (
        open_redis(private_valkey.url) as redis,
        open_doorbell(private_valkey.url) as doorbell,
        answering(doorbell, heard),
    ):
        async with asyncio.timeout(5):
            while not (waiting := await clients_at(redis, "blmpop")):
                pass
        assert await redis.pipeline(("CLIENT", "UNBLOCK", waiting[0])) == [1]
        await doorbell.ring(*CHAT, "M1", AT)
        await until(lambda: heard == [CHAT])


async def test_two_who_answer_share_the_jobs(redis_url: str) -> None:
    chats = [(uuid4(), uuid4()) for _ in range(200)]
    ours: list[Chat] = []
    theirs: list[Chat] = []
    async with (
        open_doorbell(redis_url) as one,
        open_doorbell(redis_url) as two,
        answering(one, ours),
        answering(two, theirs),
    ):
        for chat in chats:
            await one.ring(*chat, "M1", AT)
        await until(lambda: len(ours) + len(theirs) == 200)

    assert sorted(ours + theirs) == sorted(chats)
    assert ours
    assert theirs


async def test_foreign_jobs_are_counted_logged_without_their_content_and_skipped(
    redis: RedisStore, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = [
        b"",
        b"secret \xff",
        b"[]",
        b"null",
        b'{"companyId": "secret", "customerId": "secret"}',
        b'{"companyId": 7, "customerId": null}',
        b'{"task_name": "secret", "args": []}',
        b"[" * 100_000,
    ]
    heard: list[Chat] = []
    async with open_doorbell(redis_url) as doorbell:
        await redis.pipeline(("LPUSH", QUEUE, *foreign))
        await doorbell.ring(*CHAT, "M1", AT)
        async with answering(doorbell, heard):
            await until(lambda: heard == [CHAT])

    assert doorbell.skipped == len(foreign)
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == len(foreign)
    assert {record.name for record in warnings} == {"bot.jobs"}
    assert not any("secret" in str(vars(record)) for record in warnings)


async def test_one_answer_that_fails_does_not_end_the_others(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Chat] = []

    def on_ring(company_id: UUID, customer_id: UUID) -> None:
        heard.append((company_id, customer_id))
        if len(heard) == 1:
            raise LookupError("a fault")

    async with open_doorbell(redis_url) as doorbell:
        answer = asyncio.create_task(doorbell.answer(on_ring))
        await doorbell.ring(*CHAT, "M1", AT)
        await doorbell.ring(*CHAT, "M2", AT)
        await until(lambda: len(heard) == 2)
        doorbell.stop()
        await answer

    assert "LookupError" in caplog.text


async def test_answering_can_be_cancelled_and_takes_no_more_jobs(
    redis: RedisStore, redis_url: str
) -> None:
    heard: list[Chat] = []
    async with open_doorbell(redis_url) as doorbell:
        answer = asyncio.create_task(doorbell.answer(lambda *chat: heard.append(chat)))
        await doorbell.ring(*CHAT, "M1", AT)
        await until(lambda: len(heard) == 1)

        answer.cancel()
        await asyncio.wait([answer], timeout=2)
        assert answer.cancelled()
        await doorbell.ring(*CHAT, "M2", AT)

        assert await redis.pipeline(("LLEN", QUEUE)) == [1]
    assert len(heard) == 1


async def test_the_doorbell_survives_a_flush_and_a_restart(
    private_valkey: PrivateValkey,
) -> None:
    heard: list[Chat] = []
    async with open_doorbell(private_valkey.url) as doorbell, answering(doorbell, heard):
        await hears(doorbell, heard)
        async with open_redis(private_valkey.url) as redis:
            await redis.pipeline(("FLUSHALL",))
        await hears(doorbell, heard)

        private_valkey.kill()
        await asyncio.sleep(0.5)
        private_valkey.start()

        await hears(doorbell, heard)


async def test_ringing_with_redis_away_says_so_quickly_and_then_at_once(
    private_valkey: PrivateValkey,
) -> None:
    async with open_doorbell(private_valkey.url) as doorbell:
        private_valkey.kill()
        first = await refused(doorbell)
        again = await refused(doorbell)

    assert first < RING_SECONDS + 0.5
    assert again < 0.1
    assert doorbell.failures == 2


async def test_ringing_a_frozen_redis_says_so_quickly(private_valkey: PrivateValkey) -> None:
    async with open_doorbell(private_valkey.url) as doorbell:
        await doorbell.ring(*CHAT, "M1", AT)
        private_valkey.freeze()

        assert await refused(doorbell) < RING_SECONDS + 0.5


async def test_a_doorbell_opens_without_redis_and_answers_when_it_comes(
    private_valkey: PrivateValkey,
) -> None:
    private_valkey.kill()
    heard: list[Chat] = []
    async with open_doorbell(private_valkey.url) as doorbell, answering(doorbell, heard):
        await asyncio.sleep(0.3)
        private_valkey.start()

        await hears(doorbell, heard)


async def test_a_list_that_is_none_is_waited_out(
    redis: RedisStore, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Chat] = []
    await redis.set(QUEUE, "not a list")
    async with open_doorbell(redis_url) as doorbell, answering(doorbell, heard):
        await until(lambda: doorbell.failures > 0)
        await redis.delete(QUEUE)

        await hears(doorbell, heard)

    assert "WRONGTYPE" in str([vars(record) for record in caplog.records])


async def refused(doorbell: Doorbell) -> float:
    began = time.monotonic()
    with pytest.raises(RetryLater):
        await doorbell.ring(*CHAT, "M1", AT)
    return time.monotonic() - began


async def clients_at(redis: RedisStore, command: str) -> list[str]:
    """The ids of clients that wait in *command*."""
    [listed] = await redis.pipeline(("CLIENT", "LIST"))
    clients = [
        dict(pair.split("=", 1) for pair in line.split()) for line in listed.decode().splitlines()
    ]
    return [client["id"] for client in clients if client["cmd"] == command]
