"""Named points at which a daemon is killed, from the client's callback to the last write.

Each is a coroutine that has something happen, waits until the daemon is at that point, and
returns when the daemon is dead.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import asyncpg
from aiohttp import web

from tests.fakes.openai_server import FakeOpenAI
from tests.system import gates
from tests.system.conftest import Scene, Valves


class Place(Protocol):
    """What stands around a daemon that can be killed at any of `POINTS`."""

    url: str
    look: asyncpg.Connection
    llm: FakeOpenAI
    valves: Valves

    async def until(self, claim: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
        """Wait until *claim* holds."""

    async def kill(self) -> None:
        """SIGKILL, and the end of the process."""


Provoke = Callable[[], object]
"""Has a customer write; where customers write all the time it does nothing."""
Moment = Callable[[Place, Provoke], Awaitable[None]]
ClientMoment = Callable[[Scene, Provoke], Awaitable[None]]


def undone(at: str) -> Moment:
    """Killed while a statement ran that never came to its end."""

    async def moment(place: Place, provoke: Provoke) -> None:
        async with gates.closed(place.url, place.look, at) as gate:
            provoke()
            await gate.reached()
            await place.kill()
            await gate.undo()

    return moment


def unheard(at: str) -> Moment:
    """Killed while a statement ran that then came to its end without us."""

    async def moment(place: Place, provoke: Provoke) -> None:
        async with gates.closed(place.url, place.look, at) as gate:
            provoke()
            await gate.reached()
            await place.kill()
            await gate.open()

    return moment


def found(rows: str) -> Moment:
    """Killed as soon as there are such rows."""

    async def moment(place: Place, provoke: Provoke) -> None:
        provoke()
        await place.until(lambda: _any(place, rows))
        await place.kill()

    return moment


def stands(table: str, state: str) -> Moment:
    """Killed as soon as a row stands so."""
    return found(f"SELECT FROM {table} WHERE state = '{state}'")


def dies(at: str) -> ClientMoment:
    """Killed at a point between the client and us."""

    async def moment(scene: Scene, provoke: Provoke) -> None:
        assert scene.daemon
        scene.phones.die(at)
        provoke()
        await scene.daemon.ended()

    return moment


async def while_redis_says_nothing(place: Place, provoke: Provoke) -> None:
    """Stored, but neither counted by the rate limit nor rung for."""
    newest = await place.look.fetchval("SELECT coalesce(max(id), 0) FROM inbox")
    place.valves.redis.hold()
    provoke()
    await place.until(lambda: _any(place, f"SELECT FROM inbox WHERE id > {newest}"))
    await place.kill()
    await place.valves.redis.open()


async def while_the_model_is_asked(place: Place, provoke: Provoke) -> None:
    """The answer never comes."""
    asked = asyncio.Event()

    async def ask(_: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.sleep(30)
        return web.Response()

    place.llm.script(ask)
    provoke()
    async with asyncio.timeout(20):
        await asked.wait()
    await place.kill()


async def before_the_history_is_written(place: Place, provoke: Provoke) -> None:
    """Sent, and MongoDB does not answer."""
    held = asyncio.Event()

    async def hold(request: web.Request) -> web.StreamResponse:
        place.valves.mongo.hold()
        held.set()
        return await place.llm.usual(request)

    place.llm.script(hold)
    provoke()
    async with asyncio.timeout(20):
        await held.wait()
    sent = await place.look.fetchval("SELECT count(*) FROM outbox WHERE state = 'sent'")
    more = f"SELECT FROM outbox WHERE state = 'sent' OFFSET {sent}"
    await place.until(lambda: _any(place, more))
    await place.kill()
    await place.valves.mongo.open()


async def _any(place: Place, rows: str) -> bool:
    return bool(await place.look.fetchval(f"SELECT EXISTS ({rows})"))


ONE_LEFT_AND_ONE_TO_GO = """
SELECT FROM outbox a JOIN outbox b USING (turn_id) WHERE a.state = 'sent' AND b.state = 'ready'
"""
BETWEEN_PARTS = "between two parts of a reply"

POINTS: dict[str, Moment] = {
    "journalled, not stored": undone("inbox pending"),
    "stored, which nobody heard": unheard("inbox pending"),
    "stored, Redis says nothing": while_redis_says_nothing,
    "waiting for quiet": stands("inbox", "pending"),
    "claiming": undone("turns open"),
    "claimed, which nobody heard": unheard("turns open"),
    "the model is being asked": while_the_model_is_asked,
    "the model has answered": undone("outbox ready"),
    "answer recorded, which nobody heard": unheard("outbox ready"),
    "answer ready, typing shows": stands("outbox", "ready"),
    "about to be sending": undone("outbox sending"),
    "sending, not yet given to the client": unheard("outbox sending"),
    "marking it as sent": undone("outbox sent"),
    "sent, which nobody heard": unheard("outbox sent"),
    "before the history is written": before_the_history_is_written,
    "marking the history as written": undone("inbox remembered"),
}

CLIENT_POINTS: dict[str, ClientMoment] = {
    "before the journal": dies("before the journal"),
    "journalled, not taken from the phone": dies("after the journal"),
    "given to the client": dies("before the secret"),
    "the client has begun": dies("before the ratchet"),
    "it has left": dies("after the wire"),
}
"""Those that only phones without WhatsApp can name."""

WINDOW = "the ratchet has turned, nothing has left"
IN_THE_WINDOW = dies("before the wire")
"""The one in which nobody can know: then it stays unsaid."""

BETWEEN = found(ONE_LEFT_AND_ONE_TO_GO)
