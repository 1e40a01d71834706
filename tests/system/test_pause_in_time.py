"""``lyrox pause`` acts at once, also where Redis cannot tell anybody."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from tests.fakes.openai_server import says
from tests.system.conftest import Scene


@pytest.fixture
async def ready(scene: Scene) -> AsyncIterator[Scene]:
    """A daemon in order, and afterwards again."""
    await scene.start()
    yield scene
    await scene.valves.redis.open()
    await scene.nursery.lyrox(scene.home, "resume", scene.company)


@pytest.mark.parametrize("redis", [True, False], ids=["with Redis", "without Redis"])
@pytest.mark.parametrize("chat", [True, False], ids=["one chat", "the company"])
async def test_nothing_leaves_after_the_command_has_ended(
    ready: Scene, redis: bool, chat: bool
) -> None:
    phone, done = ready.customer(), asyncio.Event()

    async def pause(request: web.Request) -> web.StreamResponse:
        """The answer comes in the moment in which the command has ended."""
        if not redis:
            await ready.valves.redis.cut()
        words = (ready.company, f"+{phone}") if chat else (ready.company,)
        said = await ready.nursery.lyrox(ready.home, "pause", *words)
        assert said.code == 0, said.err
        done.set()
        return await says()(request)

    ready.llm.script(pause)
    ready.write(phone)
    await asyncio.wait_for(done.wait(), 50)

    async def decided() -> bool:
        return await ready.states(phone, "turns") == ["silent"]

    await ready.until(decided)
    await asyncio.sleep(0.5)
    assert ready.phones.arrived(phone) == []
