"""The rate limit against a model of itself: any two customers, in any order, with lost windows."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.rate_limit import Counted, RateLimit
from bot.redis_store import RedisStore

who = st.integers(0, 1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("count"), who),
        st.tuples(st.just("count"), who),
        st.tuples(st.just("count"), who),
        st.tuples(st.just("repeat"), who),
        st.tuples(st.just("end_window"), who),
    ),
    max_size=40,
)
RELAXED = settings(deadline=None, suppress_health_check=list(HealthCheck))


@dataclass
class Window:
    """What one customer's window should say."""

    most: int
    counted: int = 0
    told: bool = False

    def count(self) -> Counted:
        """One more message."""
        self.counted += 1
        if self.counted <= self.most:
            return Counted.WITHIN
        first, self.told = not self.told, True
        return Counted.FIRST_OVER if first else Counted.OVER

    def uncount(self, counted: Counted) -> None:
        """It had been counted before."""
        self.counted -= 1
        if counted is Counted.FIRST_OVER:
            self.told = False


@dataclass
class Play:
    """The steps, on Valkey and in the model."""

    redis: RedisStore
    limit: int
    windows: dict[int, Window] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._company = uuid4()
        self._ours = RateLimit(self.redis, limit=self.limit)

    async def count(self, person: int) -> None:
        """A message."""
        counted = await self._ours.count(self._company, self._phone(person))
        assert counted.counted is self._window(person).count()
        full = self._window(person).counted >= self.limit
        assert (counted.full_until is not None) is full

    async def repeat(self, person: int) -> None:
        """A message that has come before: counted, and then counted back."""
        counted = await self._ours.count(self._company, self._phone(person))
        assert counted.counted is self._window(person).count()
        await self._ours.uncount(self._company, self._phone(person), counted)
        self._window(person).uncount(counted.counted)

    async def end_window(self, person: int) -> None:
        """The minute is over."""
        place = f"{self._company}:{self._phone(person)}"
        await self.redis.pipeline(("DEL", f"rate_limit:{place}", f"rate_limit_notice:{place}"))
        self.windows.pop(person, None)

    def _window(self, person: int) -> Window:
        return self.windows.setdefault(person, Window(self.limit))

    def _phone(self, person: int) -> str:
        return f"+130555501{person:02}"


async def counts_as_its_model(redis: RedisStore, limit: int, steps: list[tuple[Any, ...]]) -> None:
    """Every verdict is the model's."""
    play = Play(redis, limit)
    for name, person in steps:
        await getattr(play, name)(person)


@settings(RELAXED, max_examples=25)
@given(limit=st.integers(1, 5), steps=STEPS)
async def test_every_verdict_is_the_models(
    redis: RedisStore, limit: int, steps: list[tuple[Any, ...]]
) -> None:
    await counts_as_its_model(redis, limit, steps)


@pytest.mark.faults
@pytest.mark.timeout(900)
@settings(RELAXED, max_examples=1500)
@given(limit=st.integers(1, 5), steps=STEPS)
async def test_every_verdict_is_the_models_in_many_more_minutes(
    redis: RedisStore, limit: int, steps: list[tuple[Any, ...]]
) -> None:
    await counts_as_its_model(redis, limit, steps)
