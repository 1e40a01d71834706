"""Whatever happens to two chats, in whatever order: the ledger is sound, and says all once."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, example, given, settings

from models.database import Database, connect
from tests.builders import admin, make_company
from tests.models.random_ledger import STEPS, lives_soundly

Stage = tuple[str, Database, asyncpg.Connection]
RELAXED = settings(deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
async def stage(database: str) -> AsyncIterator[Stage]:
    """One database for all examples; each has a company of its own."""
    async with connect(database, connections=2) as db:
        look = await admin(database)
        yield database, db, look
        await look.close()


@settings(RELAXED, max_examples=15)
@given(steps=STEPS)
@example(steps=[("arrive", 0), ("claim", 0, 0), ("defer", 0)])
async def test_the_ledger_is_sound_whatever_happens(
    stage: Stage, steps: list[tuple[Any, ...]]
) -> None:
    url, db, look = stage
    await lives_soundly(await make_company(url), db, look, steps)


@pytest.mark.faults
@pytest.mark.timeout(1800)
@settings(RELAXED, max_examples=500)
@given(steps=STEPS)
async def test_the_ledger_is_sound_in_many_more_lives(
    stage: Stage, steps: list[tuple[Any, ...]]
) -> None:
    url, db, look = stage
    await lives_soundly(await make_company(url), db, look, steps)
