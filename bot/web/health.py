"""``/healthz``, ``/readyz``, ``/metrics``, ``/status``: what Prometheus, the CLI and people ask."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.web.listener import BODY_BYTES, is_loopback, listening
from models.errors import LyroxError

ANSWER_SECONDS = 5.0
"""A question that our stores have not answered by then is itself an answer."""

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class Health:
    """The four answers; each is asked for anew, nothing is remembered here."""

    def __init__(
        self,
        *,
        alive: Callable[[], bool],
        ready: Callable[[], Awaitable[list[str]]],
        status: Callable[[], Awaitable[Mapping[str, object]]],
        metrics: Callable[[], bytes],
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._alive = alive
        self._ready = ready
        self._status = status
        self._metrics = metrics
        self._answer_seconds = answer_seconds

    def app(self) -> web.Application:
        """The routes, behind the guard."""
        app = web.Application(
            middlewares=[_loopback_only, self._in_time], client_max_size=BODY_BYTES
        )
        app.router.add_get("/healthz", self._answer_alive)
        app.router.add_get("/readyz", self._answer_ready)
        app.router.add_get("/status", self._answer_status)
        app.router.add_get("/metrics", self._answer_metrics)
        return app

    @web.middleware
    async def _in_time(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            async with asyncio.timeout(self._answer_seconds):
                return await handler(request)
        except TimeoutError:
            return _unready("a store does not answer in time")
        except LyroxError as error:
            return _unready(str(error))

    async def _answer_alive(self, _request: web.Request) -> web.Response:
        alive = self._alive()
        return _json({"alive": alive}, status=200 if alive else 503)

    async def _answer_ready(self, _request: web.Request) -> web.Response:
        problems = await self._ready()
        ready = not problems
        return _json({"ready": ready, "problems": problems}, status=200 if ready else 503)

    async def _answer_status(self, _request: web.Request) -> web.Response:
        return _json(await self._status())

    async def _answer_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": PROMETHEUS})


@asynccontextmanager
async def serve(
    listen: str,
    *,
    alive: Callable[[], bool],
    ready: Callable[[], Awaitable[list[str]]],
    status: Callable[[], Awaitable[Mapping[str, object]]],
    metrics: Callable[[], bytes],
    key: str = "web.listen",
    answer_seconds: float = ANSWER_SECONDS,
) -> AsyncIterator[str]:
    """Answer on the loopback address *listen*, of the setting *key*, while the context lasts;
    yields ``host:port``.

    *ready* lists what is wrong, a sentence each; a LyroxError or a slow answer of *ready* and
    *status* becomes such a sentence. Raises StartupRefused or Unavailable.
    """
    health = Health(
        alive=alive, ready=ready, status=status, metrics=metrics, answer_seconds=answer_seconds
    )
    async with listening(listen, health.app(), key=key) as address:
        yield address


@web.middleware
async def _loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a page that reaches us through a foreign name (DNS rebinding)."""
    if not is_loopback(request.host):
        raise web.HTTPMisdirectedRequest(text="this address answers to loopback names only\n")
    return await handler(request)


def _unready(problem: str) -> web.Response:
    return _json({"ready": False, "problems": [problem]}, status=503)


def _json(document: Mapping[str, object], *, status: int = 200) -> web.Response:
    text = json.dumps(document, ensure_ascii=False, default=str) + "\n"
    return web.Response(
        body=text.encode("utf-8", "backslashreplace"),
        status=status,
        headers={"Content-Type": "application/json; charset=utf-8"},
    )
