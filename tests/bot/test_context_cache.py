"""The context cache on a real Valkey: twenty lines without a hole, or a miss."""

import asyncio
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.cached_lines import LONG
from bot.context_cache import ContextCache, Miss
from bot.redis_store import RedisStore, open_redis
from models.values import AiMetadata, Line, Sender
from tests.bot.conftest import PrivateValkey

COMPANY = UUID("0b9a2f5e-0d2a-4c39-9d2b-3f1f1c7f0001")
CUSTOMER = UUID("5b9a2f5e-0d2a-4c39-9d2b-3f1f1c7f0002")
CHAT = (COMPANY, CUSTOMER)
KEY = f"conversation_context:{COMPANY}:{CUSTOMER}"
BEGIN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
AI = AiMetadata("gpt-x", 150, 1200, "product_inquiry", "positive", 0.89)


def line(number: int, *, second: int | None = None, text: str = "Hola") -> Line:
    at = BEGIN + timedelta(seconds=number if second is None else second)
    return Line(f"M{number}", at, Sender.CUSTOMER, text)


def lines(numbers: Iterable[int]) -> list[Line]:
    return [line(number) for number in numbers]


async def filled(redis: RedisStore, history: list[Line]) -> ContextCache:
    cache = ContextCache(redis)
    token = await token_of(cache)
    assert token
    assert await cache.fill(*CHAT, token, history)
    return cache


async def cached(cache: ContextCache) -> list[Line] | None:
    found = await cache.load(*CHAT)
    return None if isinstance(found, Miss) else list(found)


async def token_of(cache: ContextCache) -> str | None:
    """The token of a miss; a hit has none."""
    found = await cache.load(*CHAT)
    return found.token if isinstance(found, Miss) else None


async def left_ms(redis: RedisStore) -> int:
    [left] = await redis.pipeline(("PTTL", KEY))
    return int(left)


async def test_a_filled_conversation_is_found_for_one_hour(redis: RedisStore) -> None:
    cache = await filled(redis, lines(range(3)))

    assert await cached(cache) == lines(range(3))
    assert 3_590_000 < await left_ms(redis) <= 3_600_000
    assert (cache.hits, cache.misses) == (1, 1)


async def test_reading_does_not_lengthen_the_hour_and_a_push_begins_it_anew(
    redis: RedisStore,
) -> None:
    cache = await filled(redis, lines(range(3)))
    await redis.pipeline(("PEXPIRE", KEY, 20_000))

    await cached(cache)
    assert await left_ms(redis) <= 20_000

    await cache.push(*CHAT, [line(3)])
    assert await left_ms(redis) > 3_590_000


async def test_a_line_that_was_read_before_is_not_parsed_again(redis: RedisStore) -> None:
    cache = await filled(redis, lines(range(3)))
    first = await cached(cache)
    await cache.push(*CHAT, [line(3)])
    again = await cached(cache)

    assert first
    assert again
    assert all(old is new for old, new in zip(first, again, strict=False))


async def test_a_long_line_takes_no_room_among_those_that_were_read(redis: RedisStore) -> None:
    cache = await filled(redis, [line(0, text="é" * LONG)])
    first, again = await cached(cache), await cached(cache)

    assert first
    assert again
    assert first == again
    assert first[0] is not again[0]


async def test_a_line_is_json_with_the_documents_field_names(redis: RedisStore) -> None:
    said = Line("A1", BEGIN, Sender.AGENT, "¡Hola!", AI)
    await filled(redis, [line(0), said])

    [values] = await redis.pipeline(("LRANGE", KEY, 0, -1))

    assert json.loads(values[0]) == {
        "timestamp": "2026-03-01T12:00:00.000Z",
        "id": "M0",
        "direction": "incoming",
        "sender": "customer",
        "content": "Hola",
    }
    assert json.loads(values[1])["direction"] == "outgoing"
    assert json.loads(values[1])["aiMetadata"] == {
        "model": "gpt-x",
        "tokensUsed": 150,
        "responseTime": 1200,
        "intent": "product_inquiry",
        "sentiment": "positive",
        "confidence": 0.89,
    }


@pytest.mark.parametrize(
    "awkward",
    [
        Line('quo"te","direction":"\\', BEGIN, Sender.CUSTOMER, 'a","direction":"b\n\x00'),
        Line("owner", BEGIN, Sender.OWNER, "‏مرحبا 💪🏽 é"),
        Line("lone", BEGIN, Sender.CUSTOMER, "half \ud83d emoji"),
        Line("long", BEGIN, Sender.CUSTOMER, "x" * 65_536),
        Line("ai", BEGIN, Sender.AGENT, "", AI),
        Line("bare", BEGIN, Sender.AGENT, "[1]", AiMetadata("offline", 0, 3)),
        Line("", BEGIN.replace(microsecond=123_000), Sender.CUSTOMER, "{}"),
    ],
    ids=lambda awkward: awkward.id[:5],
)
async def test_an_awkward_line_comes_back_as_it_went(redis: RedisStore, awkward: Line) -> None:
    cache = await filled(redis, [awkward, line(1)])

    await cache.push(*CHAT, [awkward, line(2)])

    assert await cached(cache) == [awkward, line(1), line(2)]


async def test_only_the_newest_twenty_stay(redis: RedisStore) -> None:
    cache = await filled(redis, lines(range(30)))
    assert await cached(cache) == lines(range(10, 30))

    await cache.push(*CHAT, lines(range(30, 33)))
    assert await cached(cache) == lines(range(13, 33))


async def test_a_repeated_line_is_one_line_and_a_late_one_finds_its_place(
    redis: RedisStore,
) -> None:
    cache = await filled(redis, lines([0, 1, 3]))

    await cache.push(*CHAT, lines([3, 2]))
    await cache.push(*CHAT, lines([1]))

    assert await cached(cache) == lines(range(4))


async def test_lines_of_the_same_second_keep_the_order_in_which_they_came(
    redis: RedisStore,
) -> None:
    burst = [line(number, second=0) for number in (5, 3, 9, 1)]
    cache = await filled(redis, burst[:2])

    await cache.push(*CHAT, burst[2:])

    assert await cached(cache) == burst


async def test_nothing_is_kept_of_a_conversation_nobody_has_loaded(redis: RedisStore) -> None:
    await ContextCache(redis).push(*CHAT, [line(0)])

    assert await redis.get_many([KEY]) == [None]
    assert await cached(ContextCache(redis)) is None


async def test_a_new_customer_without_history_stays_a_miss(redis: RedisStore) -> None:
    cache = await filled(redis, [])

    assert await token_of(cache)


async def test_only_the_first_to_miss_fills_and_the_others_just_miss(redis: RedisStore) -> None:
    cache = ContextCache(redis)

    found = await asyncio.gather(*(cache.load(*CHAT) for _ in range(8)))

    tokens = [loaded.token for loaded in found if isinstance(loaded, Miss)]
    assert len(tokens) == 8
    assert tokens.count(None) == 7


async def test_a_token_holds_for_half_a_minute_whatever_is_pushed(redis: RedisStore) -> None:
    cache = ContextCache(redis)
    await cache.load(*CHAT)
    assert 29_000 < await left_ms(redis) <= 30_000
    await redis.pipeline(("PEXPIRE", KEY, 4_000))

    await cache.push(*CHAT, [line(0)])

    assert 3_000 < await left_ms(redis) <= 4_000


async def test_what_is_said_while_somebody_fills_is_kept(redis: RedisStore) -> None:
    cache = ContextCache(redis)
    token = await token_of(cache)
    assert token
    await cache.push(*CHAT, lines(range(20, 50)))
    assert await cached(cache) is None  # Still being filled, whatever waits there.
    await cache.push(*CHAT, lines([50]))

    assert await cache.fill(*CHAT, token, lines(range(25)))

    assert await cached(cache) == lines(range(31, 51))


async def test_a_fill_is_refused_when_its_token_is_gone_or_another_took_its_place(
    redis: RedisStore,
) -> None:
    cache = ContextCache(redis)
    first = await token_of(cache)
    assert first
    await redis.delete(KEY)
    assert not await cache.fill(*CHAT, first, lines([0]))

    second = await token_of(cache)
    assert second
    assert not await cache.fill(*CHAT, first, lines([0]))

    assert await cache.fill(*CHAT, second, lines([0, 1]))
    assert not await cache.fill(*CHAT, second, lines([0]))
    assert await cached(cache) == lines([0, 1])


async def test_a_held_history_travels_with_the_next_push(redis: RedisStore) -> None:
    cache = ContextCache(redis)
    token = await token_of(cache)
    assert token
    cache.hold(*CHAT, token, lines(range(25)))
    assert await cached(cache) is None

    assert await cache.push(*CHAT, lines([25]))

    assert await cached(cache) == lines(range(6, 26))
    assert 3_599_000 < await left_ms(redis) <= 3_600_000


async def test_a_held_history_whose_token_is_gone_is_dropped_and_the_push_stands(
    redis: RedisStore,
) -> None:
    cache, other = ContextCache(redis), ContextCache(redis)
    token = await token_of(cache)
    assert token
    cache.hold(*CHAT, token, lines([0]))
    await redis.delete(KEY)
    assert not await cache.push(*CHAT, lines([1]))

    token = await token_of(cache)
    assert token
    cache.hold(*CHAT, token, lines([0]))
    await redis.delete(KEY)
    theirs = await token_of(other)
    assert theirs
    assert await cache.push(*CHAT, lines([1]))
    assert await other.fill(*CHAT, theirs, lines([0]))
    assert await cached(cache) == lines([0, 1])


async def test_what_is_held_can_be_filled_without_a_push(redis: RedisStore) -> None:
    cache = ContextCache(redis)
    token = await token_of(cache)
    assert token
    cache.hold(*CHAT, token, lines([0]))

    await cache.fill_held(*CHAT)
    await cache.fill_held(*CHAT)

    assert await cached(cache) == lines([0])


async def test_companies_and_customers_never_share_a_conversation(redis: RedisStore) -> None:
    cache = await filled(redis, lines([0]))

    assert isinstance(await cache.load(uuid4(), CUSTOMER), Miss)
    assert isinstance(await cache.load(COMPANY, uuid4()), Miss)


@pytest.mark.parametrize(
    "foreign", [("SET", KEY, "x"), ("RPUSH", KEY, "no line"), ("RPUSH", KEY, '{"id":1}')]
)
async def test_a_foreign_value_is_a_miss_and_heals(
    redis: RedisStore, foreign: tuple[str, str, str]
) -> None:
    await redis.pipeline(foreign)
    cache = ContextCache(redis)

    token = await token_of(cache) or await token_of(cache)

    assert token
    assert await cache.fill(*CHAT, token, lines([0]))
    assert await cached(cache) == lines([0])


async def test_a_push_that_redis_missed_ends_in_a_miss_not_in_a_hole(
    private_valkey: PrivateValkey,
) -> None:
    async with open_redis(private_valkey.url) as redis:
        cache, other = await filled(redis, lines([0])), ContextCache(redis)
        private_valkey.freeze()
        push = asyncio.ensure_future(cache.push(*CHAT, [line(1)]))
        await asyncio.sleep(0.05)
        push.cancel()
        await asyncio.wait([push])
        private_valkey.thaw()
        await redis.delete(KEY)  # Stands for a server that never saw the push.
        token = await token_of(other)
        assert token
        await other.fill(*CHAT, token, lines([0]))

        assert await token_of(cache)


async def test_with_redis_away_everything_is_a_miss_and_nothing_fails(
    private_valkey: PrivateValkey,
) -> None:
    async with open_redis(private_valkey.url) as redis:
        cache = await filled(redis, lines([0]))
        private_valkey.kill()

        await cache.push(*CHAT, [line(1)])
        assert await cache.load(*CHAT) == Miss()
        assert not await cache.fill(*CHAT, "0" * 16, lines([0]))
        await cache.forget(*CHAT)


async def test_forgetting_makes_the_next_reading_a_miss(redis: RedisStore) -> None:
    cache = await filled(redis, lines([0]))

    await cache.forget(*CHAT)

    assert await token_of(cache)


STEPS = st.lists(
    st.sampled_from(["say", "push", "turn 0", "turn 1", "say", "push", "turn 0", "turn 1", "lose"]),
    min_size=10,
    max_size=60,
)


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS, seconds=st.permutations(range(60)), history=st.integers(0, 25))
async def test_any_interleaving_ends_with_the_newest_lines_or_a_miss(
    redis: RedisStore, steps: list[str], seconds: list[int], history: int
) -> None:
    world = World(redis, seconds)
    await redis.delete(KEY)
    for _ in range(history):
        await world.say()
        await world.push()

    for step in steps:
        name, _, reader = step.partition(" ")
        await getattr(world, name)(*([int(reader)] if reader else []))
        await world.check()


class World:
    """Mongo as a list, lines on their way to the cache, and two turns that read and fill."""

    def __init__(self, redis: RedisStore, seconds: list[int]) -> None:
        self._redis = redis
        self._cache = ContextCache(redis)
        self._seconds = iter(seconds * 2)
        self._mongo: list[Line] = []
        self._unpushed: list[Line] = []
        self._tokens: dict[int, str] = {}
        self._read: dict[int, list[Line]] = {}

    async def say(self) -> None:
        number = len(self._mongo)
        said = line(number, second=next(self._seconds) + 60 * (number // 60))
        self._mongo.append(said)
        self._unpushed.append(said)

    async def push(self) -> None:
        if self._unpushed:
            await self._cache.push(*CHAT, [self._unpushed.pop(0)])

    async def turn(self, reader: int) -> None:
        """A turn's next step: load, then read Mongo if it was a miss with a token, then fill.

        The second reader's history waits for the next push.
        """
        if reader in self._read:
            token, read = self._tokens.pop(reader), self._read.pop(reader)
            if reader == 1:
                self._cache.hold(*CHAT, token, read)
            else:
                await self._cache.fill(*CHAT, token, read)
        elif reader in self._tokens:
            self._read[reader] = newest(self._mongo)
        elif fresh := await token_of(self._cache):
            self._tokens[reader] = fresh

    async def lose(self) -> None:
        await self._redis.delete(KEY)

    async def check(self) -> None:
        """What a reader would find now, looked at without taking the token."""
        [values] = await self._redis.pipeline(("LRANGE", KEY, 0, -1))
        if not values or values[0].startswith(b"filling:"):
            return
        found = await cached(self._cache)
        pushed = [said for said in self._mongo if said not in self._unpushed]
        assert found
        assert found == newest([*found, *pushed])


def newest(known: list[Line]) -> list[Line]:
    distinct = {said.id: said for said in known}
    return sorted(distinct.values(), key=lambda said: said.at)[-20:]
