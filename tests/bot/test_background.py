"""Work that a cancel must not cut."""

import asyncio

import pytest

from bot.background import to_the_end


async def test_a_cancel_waits_for_the_end_however_often_it_comes() -> None:
    done: list[str] = []

    async def clean_up() -> None:
        await asyncio.sleep(0.05)
        done.append("cleaned up")

    task = asyncio.ensure_future(to_the_end(clean_up()))
    for _ in range(3):
        await asyncio.sleep(0.01)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert done == ["cleaned up"]


async def test_an_error_in_it_is_the_callers_and_so_is_its_peace() -> None:
    async def fail() -> None:
        raise LookupError("no")

    async def pass_by() -> None:
        return None

    with pytest.raises(LookupError):
        await to_the_end(fail())
    await to_the_end(pass_by())


async def test_work_that_is_itself_cancelled_ends_the_wait() -> None:
    async def give_up() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await to_the_end(give_up())
