"""The rate limit on a real Valkey."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from bot.rate_limit import Count, Counted, RateLimit
from bot.redis_store import RedisStore, open_redis
from tests.bot.conftest import PrivateValkey

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
COMPANY = UUID("0b9a2f5e-0d2a-4c39-9d2b-3f1f1c7f0001")
PHONE = "+5215550001111"
KEY = f"rate_limit:{COMPANY}:{PHONE}"
NOTICE = f"rate_limit_notice:{COMPANY}:{PHONE}"


async def count(limit: RateLimit, *, company: UUID = COMPANY, phone: str = PHONE) -> Counted:
    return (await limit.count(company, phone)).counted


async def left_ms(redis: RedisStore, key: str) -> int:
    [left] = await redis.pipeline(("PTTL", key))
    return int(left)


async def test_ten_messages_a_minute_are_answered_and_one_notice_goes_out(
    redis: RedisStore,
) -> None:
    limit = RateLimit(redis, limit=10)

    counted = [await count(limit) for _ in range(13)]

    assert counted == [Counted.WITHIN] * 10 + [Counted.FIRST_OVER] + [Counted.OVER] * 2
    assert [verdict.over for verdict in counted] == [False] * 10 + [True] * 3


async def test_messages_at_the_same_moment_are_counted_one_by_one(redis: RedisStore) -> None:
    limit = RateLimit(redis, limit=10)

    counted = await asyncio.gather(*(count(limit) for _ in range(40)))

    assert counted.count(Counted.WITHIN) == 10
    assert counted.count(Counted.FIRST_OVER) == 1


async def test_the_key_is_the_documents_and_holds_the_plain_count(redis: RedisStore) -> None:
    limit = RateLimit(redis, limit=10)

    await count(limit)
    await count(limit)

    assert await redis.get(KEY) == b"2"


async def test_a_clock_that_was_set_back_makes_no_window_longer(redis: RedisStore) -> None:
    limit = RateLimit(redis, limit=2)
    before = [await count(limit) for _ in range(3)]
    for key in (KEY, NOTICE):
        await redis.pipeline(("PEXPIRE", key, await left_ms(redis, key) + 3_600_000))

    after = [await count(limit) for _ in range(3)]

    assert before == after == [Counted.WITHIN, Counted.WITHIN, Counted.FIRST_OVER]
    assert 59_000 < await left_ms(redis, KEY) <= 60_000


async def test_the_window_is_sixty_seconds_from_its_first_message(redis: RedisStore) -> None:
    limit = RateLimit(redis, limit=10)
    await count(limit)
    assert 59_000 < await left_ms(redis, KEY) <= 60_000
    await redis.pipeline(("PEXPIRE", KEY, 20_000))

    await count(limit)

    assert 19_000 < await left_ms(redis, KEY) <= 20_000  # Its end did not move.


async def test_a_lost_expiry_is_given_back(redis: RedisStore) -> None:
    limit = RateLimit(redis, limit=10)
    await redis.set(KEY, 3)

    await count(limit)

    assert await redis.get(KEY) == b"4"
    assert 59_000 < await left_ms(redis, KEY) <= 60_000


async def test_a_new_window_counts_from_one_and_may_notify_again(redis: RedisStore) -> None:
    limit = RateLimit(redis, limit=1)
    assert [await count(limit) for _ in range(3)][1:] == [Counted.FIRST_OVER, Counted.OVER]
    assert abs(await left_ms(redis, NOTICE) - await left_ms(redis, KEY)) < 1000
    await redis.pipeline(("PEXPIRE", KEY, 1), ("PEXPIRE", NOTICE, 1))
    await asyncio.sleep(0.01)

    assert [await count(limit) for _ in range(2)] == [Counted.WITHIN, Counted.FIRST_OVER]


async def test_a_message_older_than_the_window_is_not_counted(redis: RedisStore) -> None:
    limit = RateLimit(redis, limit=10)

    assert not limit.counts(sent_at=NOW - timedelta(seconds=61), now=NOW)
    assert limit.counts(sent_at=NOW - timedelta(seconds=60), now=NOW)


async def test_a_limit_of_zero_is_switched_off(redis: RedisStore) -> None:
    assert not RateLimit(redis, limit=0).counts(sent_at=NOW, now=NOW)


async def test_a_full_window_says_how_long_it_stays_so(redis: RedisStore) -> None:
    limit = RateLimit(redis, limit=2)
    room = await limit.count(COMPANY, PHONE)
    await redis.pipeline(("PEXPIRE", KEY, 20_000))
    before = time.monotonic()

    full = [await limit.count(COMPANY, PHONE) for _ in range(3)]

    assert room.full_until is None
    assert full[0].counted is Counted.WITHIN
    for one in full:
        assert one.full_until is not None
        assert 19 < one.full_until - before <= 20.1


async def test_a_repetition_is_counted_back_within_its_window(redis: RedisStore) -> None:
    limit = RateLimit(redis, limit=2)
    await count(limit)
    await redis.pipeline(("PEXPIRE", KEY, 20_000))

    await limit.uncount(COMPANY, PHONE, Count(await count(limit)))

    assert await redis.get(KEY) == b"1"
    assert await left_ms(redis, KEY) <= 20_000
    assert await count(limit) is Counted.WITHIN


async def test_counting_back_never_goes_below_zero_nor_makes_a_key(redis: RedisStore) -> None:
    limit = RateLimit(redis, limit=2)

    await limit.uncount(COMPANY, PHONE, Count(Counted.WITHIN))
    assert await redis.get(KEY) is None

    await count(limit)
    for _ in range(3):
        await limit.uncount(COMPANY, PHONE, Count(Counted.WITHIN))
    assert await redis.get(KEY) == b"0"


async def test_a_repetition_that_took_the_notice_gives_it_back(redis: RedisStore) -> None:
    limit = RateLimit(redis, limit=1)
    await count(limit)
    repetition = await count(limit)
    assert repetition is Counted.FIRST_OVER
    assert await count(limit) is Counted.OVER

    await limit.uncount(COMPANY, PHONE, Count(repetition))

    assert await count(limit) is Counted.FIRST_OVER


async def test_a_repetition_counted_back_does_not_bring_a_second_notice(
    redis: RedisStore,
) -> None:
    limit = RateLimit(redis, limit=1)
    repetition = await count(limit)
    assert await count(limit) is Counted.FIRST_OVER

    await limit.uncount(COMPANY, PHONE, Count(repetition))

    assert await count(limit) is Counted.OVER


async def test_what_was_not_counted_is_not_counted_back(redis: RedisStore) -> None:
    limit = RateLimit(redis, limit=2)
    await count(limit)

    await limit.uncount(COMPANY, PHONE, Count(Counted.NOT_COUNTED))

    assert await redis.get(KEY) == b"1"


async def test_companies_and_customers_never_share_a_count(redis: RedisStore) -> None:
    limit = RateLimit(redis, limit=1)
    await count(limit)

    assert await count(limit, company=uuid4()) is Counted.WITHIN
    assert await count(limit, phone="+5215550002222") is Counted.WITHIN
    assert await count(limit, phone="lid:5215550001111") is Counted.WITHIN


async def test_a_foreign_value_under_the_key_is_replaced(redis: RedisStore) -> None:
    limit = RateLimit(redis, limit=1)

    for foreign in (("SET", KEY, "many"), ("RPUSH", KEY, "x")):
        await redis.pipeline(("DEL", KEY), foreign)
        assert await count(limit) is Counted.WITHIN
        assert await redis.get(KEY) == b"1"


async def test_while_redis_is_away_this_process_counts_and_tells_once(
    private_valkey: PrivateValkey,
) -> None:
    async with open_redis(private_valkey.url) as redis:
        limit = RateLimit(redis, limit=2)
        await count(limit)
        private_valkey.kill()

        here = [await limit.count(COMPANY, PHONE) for _ in range(4)]
        other = await count(limit, phone="+5215550002222")
        private_valkey.start()
        async with asyncio.timeout(50):
            while (back := await limit.count(COMPANY, PHONE)).here:  # noqa: ASYNC110 - Of a store.
                await asyncio.sleep(0.05)

    assert [one.counted for one in here] == [
        *(Counted.WITHIN, Counted.WITHIN),
        *(Counted.FIRST_OVER, Counted.OVER),
    ]
    assert all(one.here for one in here)
    assert other is Counted.WITHIN
    assert back.counted is Counted.WITHIN
    assert limit.counted_here >= 5


async def test_what_this_process_counted_is_taken_back_and_moved_in_it(
    private_valkey: PrivateValkey,
) -> None:
    async with open_redis(private_valkey.url) as redis:
        limit = RateLimit(redis, limit=2)
        private_valkey.kill()
        await limit.uncount(COMPANY, PHONE, await limit.count(COMPANY, PHONE))
        await limit.count(COMPANY, "lid:77")
        await limit.count(COMPANY, "lid:77")
        newest = await limit.count(COMPANY, PHONE)

        moved = await limit.follow(COMPANY, "lid:77", PHONE, newest)
        after = await limit.count(COMPANY, PHONE)

    assert (newest.counted, moved.counted, after.counted) == (
        *(Counted.WITHIN, Counted.FIRST_OVER),
        Counted.OVER,
    )


async def test_what_was_counted_under_a_former_phone_counts_for_the_customer(
    redis: RedisStore,
) -> None:
    limit = RateLimit(redis, limit=5)
    for phone in ("lid:77", "lid:77", "lid:77", PHONE):
        newest = await limit.count(COMPANY, phone)

    moved = await limit.follow(COMPANY, "lid:77", PHONE, newest)
    last = await limit.count(COMPANY, PHONE)

    assert (moved.counted, moved.full_until) == (Counted.WITHIN, None)
    assert last.full_until is not None
    assert [await redis.get(key) for key in (KEY, f"rate_limit:{COMPANY}:lid:77")] == [b"5", None]


async def test_a_full_window_of_both_phones_together_is_told_once(redis: RedisStore) -> None:
    limit = RateLimit(redis, limit=2)
    await limit.count(COMPANY, PHONE)
    await limit.count(COMPANY, PHONE)
    verdicts = []
    for _ in range(2):
        hidden = await limit.count(COMPANY, "lid:77")
        verdicts.append((await limit.follow(COMPANY, "lid:77", PHONE, hidden)).counted)

    assert verdicts == [Counted.FIRST_OVER, Counted.OVER]


async def test_a_former_window_that_was_told_of_is_not_told_of_again(redis: RedisStore) -> None:
    limit = RateLimit(redis, limit=1)
    for _ in range(2):
        await limit.count(COMPANY, "lid:77")
    newest = await limit.count(COMPANY, PHONE)

    moved = await limit.follow(COMPANY, "lid:77", PHONE, newest)

    assert (newest.counted, moved.counted) == (Counted.WITHIN, Counted.OVER)


async def test_a_former_window_goes_on_where_the_customer_has_none(redis: RedisStore) -> None:
    limit = RateLimit(redis, limit=5)
    await limit.count(COMPANY, "lid:77")
    await redis.pipeline(("PEXPIRE", f"rate_limit:{COMPANY}:lid:77", 20_000))

    await limit.follow(COMPANY, "lid:77", PHONE, Count())

    assert 19_000 < await left_ms(redis, KEY) <= 20_000


async def test_what_is_not_counted_moves_the_count_and_stays_uncounted(redis: RedisStore) -> None:
    limit = RateLimit(redis, limit=1)
    await limit.count(COMPANY, "lid:77")

    moved = await limit.follow(COMPANY, "lid:77", PHONE, Count())

    assert moved == Count()
    assert await redis.get(KEY) == b"1"
