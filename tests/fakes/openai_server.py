"""A chat-completions server that answers, fails and misbehaves as told.

In a test: ``async with FakeOpenAI() as fake`` and ``fake.script(...)``. As a process:
``python -m tests.fakes.openai_server [--seconds 1.0] [--port 0]`` prints its base URL.
"""

import argparse
import asyncio
import json
import signal
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

TEXT = "¡Gracias por escribir! Cuéntame, ¿qué te gustaría lograr?"
SECRET = "PROVIDER-WORDS sk-live-123 at api.internal"
"""What every failure says; nobody but us may ever read it."""

Act = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answer(text: str = TEXT, **changes: Any) -> dict[str, Any]:
    """A valid structured answer."""
    plain = {
        "intent": "greeting",
        "sentiment": "positive",
        "confidence": 0.9,
        "stage": "lead",
        "actions": [],
        "text": text,
    }
    return {**plain, **changes}


def completion(content: str | None, *, finish: str = "stop", **message: Any) -> dict[str, Any]:
    """The body of a chat completion around *content*."""
    said = {"role": "assistant", "content": content, "refusal": None, **message}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "fake-1",
        "choices": [{"index": 0, "finish_reason": finish, "message": said, "logprobs": None}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }


def says(text: str = TEXT, **changes: Any) -> Act:
    """A valid answer."""
    return writes(json.dumps(answer(text, **changes)))


def writes(content: str | None, *, finish: str = "stop", **message: Any) -> Act:
    """A well-formed completion with this *content*, valid or not."""
    return body(json.dumps(completion(content, finish=finish, **message)).encode())


def body(raw: bytes, *, status: int = 200, content_type: str = "application/json") -> Act:
    """These very bytes."""

    async def act(_: web.Request) -> web.StreamResponse:
        return web.Response(body=raw, status=status, content_type=content_type)

    return act


def fails(status: int, *, code: str | None = None, **headers: str) -> Act:
    """An error; header names are written with underscores."""

    async def act(_: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        error = {"error": {"message": SECRET, "type": code, "code": code, "param": None}}
        return web.json_response(error, status=status, reason=SECRET, headers=named)

    return act


def refuses() -> Act:
    """A refusal in the model's own words."""
    return writes(None, refusal=SECRET)


def truncates() -> Act:
    """An answer that was cut off in the middle of its text."""
    whole = json.dumps(answer(f"{SECRET} and more"))
    return writes(whole[: whole.index(" and more")], finish="length")


def hangs(seconds: float = 30.0) -> Act:
    """Nothing at all for *seconds*."""

    async def act(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await says()(request)

    return act


def dribbles(every: float = 0.05, count: int = 200) -> Act:
    """A byte now and then, so that no read ever times out."""

    async def act(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for _ in range(count):
            await response.write(b" ")
            await asyncio.sleep(every)
        await response.write(json.dumps(completion(json.dumps(answer()))).encode())
        return response

    return act


def drops(*, after: bytes = b"") -> Act:
    """A connection that closes, before or in the middle of its answer."""

    async def act(request: web.Request) -> web.StreamResponse:
        if after:
            response = web.StreamResponse(headers={"Content-Length": "5000"})
            await response.prepare(request)
            await response.write(after)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return act


class FakeOpenAI:
    """The server; without a script it gives the same valid answer after *seconds*."""

    def __init__(self, *, seconds: float = 0.0, port: int = 0) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.keep_log = True
        self._acts: deque[Act] = deque()
        self._always: Act | None = None
        self._seconds = seconds
        self._port = port
        self._usual = json.dumps(completion(json.dumps(answer()))).encode()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The base URL for a target's settings."""
        return f"http://127.0.0.1:{self._port}/v1"

    def script(self, *acts: Act) -> None:
        """What the next requests get, one each."""
        self._acts.extend(acts)

    def always(self, act: Act | None) -> None:
        """What every request gets once the script is over; None means the usual answer."""
        self._always = act

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=16_000_000)
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        if self.keep_log:
            self.requests.append(json.loads(raw))
            self.headers.append(dict(request.headers))
        act = self._acts.popleft() if self._acts else self.usual
        return await act(request)

    async def usual(self, request: web.Request) -> web.StreamResponse:
        """What a request gets once the script is over."""
        if self._always is not None:
            return await self._always(request)
        if self._seconds:
            await asyncio.sleep(self._seconds)
        return web.Response(body=self._usual, content_type="application/json")


async def _serve(seconds: float, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    fake = FakeOpenAI(seconds=seconds, port=port)
    fake.keep_log = False
    async with fake:
        print(fake.url, flush=True)
        await stop.wait()


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="A fake OpenAI server.")
    parser.add_argument("--seconds", type=float, default=0.0, help="how long each answer takes")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    asyncio.run(_serve(options.seconds, options.port))


if __name__ == "__main__":
    main()
