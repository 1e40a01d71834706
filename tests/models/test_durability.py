"""What a step of the road says is done survives a crash of the server, however that is set."""

from uuid import uuid4

import asyncpg
import pytest


@pytest.mark.parametrize(
    ("server", "step"), [("off", "on"), ("on", "on"), ("remote_apply", "remote_apply")]
)
async def test_a_step_is_confirmed_when_it_is_on_the_disk(
    database: str, server: str, step: str
) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(f"SET synchronous_commit = {server}")
        async with connection.transaction():
            await connection.execute("SELECT enter_company($1)", uuid4())
            inside = await connection.fetchval("SHOW synchronous_commit")
        after = await connection.fetchval("SHOW synchronous_commit")
    finally:
        await connection.close()

    assert (inside, after) == (step, server)
