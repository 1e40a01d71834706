"""kill -9 anywhere in a turn: nothing is lost, and nothing is said twice."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.fakes.openai_server import says
from tests.system import gates
from tests.system.conftest import Scene

Moment = Callable[[Scene, str], Awaitable[None]]


def undone(at: str) -> Moment:
    """Killed while a statement ran that never came to its end."""

    async def moment(scene: Scene, phone: str) -> None:
        async with gates.closed(scene.url, scene.look, at) as gate:
            scene.write(phone)
            await gate.reached()
            await kill(scene)
            await gate.undo()

    return moment


def unheard(at: str) -> Moment:
    """Killed while a statement ran that then came to its end without us."""

    async def moment(scene: Scene, phone: str) -> None:
        async with gates.closed(scene.url, scene.look, at) as gate:
            scene.write(phone)
            await gate.reached()
            await kill(scene)
            await gate.open()

    return moment


def dies(at: str) -> Moment:
    """Killed at a point between the client and us."""

    async def moment(scene: Scene, phone: str) -> None:
        assert scene.daemon
        scene.phones.die(at)
        scene.write(phone)
        await scene.daemon.ended()

    return moment


def stands(table: str, state: str) -> Moment:
    """Killed as soon as a row stands so."""

    async def moment(scene: Scene, phone: str) -> None:
        async def so() -> bool:
            return await scene.states(phone, table) == [state]

        scene.write(phone)
        await scene.until(so)
        await kill(scene)

    return moment


async def while_the_model_is_asked(scene: Scene, phone: str) -> None:
    asked = asyncio.Event()

    async def ask(_: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.sleep(30)
        return web.Response()

    scene.llm.script(ask)
    scene.write(phone)
    await asyncio.wait_for(asked.wait(), 20)
    await kill(scene)


async def before_the_history_is_written(scene: Scene, phone: str) -> None:
    async def sent() -> bool:
        return await scene.states(phone, "outbox") == ["sent"]

    async def hold(request: web.Request) -> web.StreamResponse:
        scene.valves.mongo.hold()
        return await says()(request)

    scene.llm.script(hold)
    scene.write(phone)
    await scene.until(sent)
    await kill(scene)
    await scene.valves.mongo.open()


MOMENTS = {
    "before the journal": dies("before the journal"),
    "journalled, not taken from the phone": dies("after the journal"),
    "journalled, not stored": undone("inbox pending"),
    "stored, which nobody heard": unheard("inbox pending"),
    "waiting for quiet": stands("inbox", "pending"),
    "claiming": undone("turns open"),
    "claimed, which nobody heard": unheard("turns open"),
    "the model is being asked": while_the_model_is_asked,
    "the model has answered": undone("outbox ready"),
    "answer recorded, which nobody heard": unheard("outbox ready"),
    "answer ready, typing shows": stands("outbox", "ready"),
    "about to be sending": undone("outbox sending"),
    "sending, not yet given to the client": unheard("outbox sending"),
    "given to the client": dies("before the secret"),
    "the client has begun": dies("before the ratchet"),
    "it has left": dies("after the wire"),
    "marking it as sent": undone("outbox sent"),
    "sent, which nobody heard": unheard("outbox sent"),
    "before the history is written": before_the_history_is_written,
    "marking the history as written": undone("inbox remembered"),
}


async def kill(scene: Scene) -> None:
    assert scene.daemon
    assert await scene.daemon.send(signal.SIGKILL) == -signal.SIGKILL


@pytest.fixture(scope="module")
async def gated(scene: Scene) -> Scene:
    """The scene, with every step's gate open and a moment of typing."""
    await gates.install(scene.look)
    return scene


@asynccontextmanager
async def killed(scene: Scene, moment: Moment, phone: str) -> AsyncIterator[None]:
    """Kill the daemon at *moment*, then run another one."""
    await scene.start()
    await moment(scene, phone)
    await gates.alone(scene.look)
    await scene.start()
    yield


@pytest.mark.parametrize("moment", MOMENTS)
async def test_whenever_it_is_killed_the_customer_has_one_answer(gated: Scene, moment: str) -> None:
    phone = gated.customer()

    async with killed(gated, MOMENTS[moment], phone):
        await gated.until(lambda: gated.closed(phone))

    assert len(gated.phones.arrived(phone)) == 1


async def test_in_the_one_window_that_remains_it_is_not_said_twice(gated: Scene) -> None:
    phone = gated.customer()

    async with killed(gated, dies("before the wire"), phone):
        await gated.until(lambda: gated.closed(phone))

    assert gated.phones.arrived(phone) == []
    unconfirmed = "SELECT content FROM outbox WHERE chat LIKE $1 AND NOT confirmed"
    assert len(await gated.look.fetch(unconfirmed, f"{phone}@%")) == 1
    del gated.asked[phone]


async def test_after_all_of_it_each_line_stands_in_the_history_once(gated: Scene) -> None:
    await gated.start()

    async def all_marked() -> bool:
        # Only old rows are looked for again; this makes them old.
        for table, column in (("inbox", "received_at"), ("outbox", "sent_at")):
            await gated.look.execute(
                f"UPDATE {table} SET {column} = {column} - interval '10 seconds'"  # noqa: S608
                f" WHERE NOT remembered AND {column} > now() - interval '30 seconds'"
            )
        open_rows = "SELECT count(*) FROM {} WHERE NOT remembered"
        inbox = await gated.look.fetchval(open_rows.format("inbox"))
        return not inbox and not await gated.look.fetchval(open_rows.format("outbox"))

    await gated.until(all_marked, seconds=30)

    for phone, text in gated.asked.items():
        lines = gated.remembered(phone)
        assert lines[0] == ("customer", text), phone
        assert [sender for sender, _ in lines] == ["customer", "agent"], phone
        assert lines[1][1] == gated.phones.arrived(phone)[0]
