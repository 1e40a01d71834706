"""A program that takes webhooks, and can be away, broken, slow or moved."""

import asyncio
import base64
import hmac
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Receiver:
    """``mode`` is ok, down, 500, slow or redirect; ``taken`` is what it said 2xx to, in order.

    ``secret`` is what it checks signatures with; ``asked`` counts every request it saw.
    """

    port: int
    mode: str = "ok"
    secret: str = ""
    taken: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def ids(self) -> list[str]:
        return [document["id"] for document in self.taken]

    def types(self) -> list[str]:
        return [document["type"] for document in self.taken]

    async def become(self, mode: str) -> None:
        """From now on it behaves so."""
        self.mode = mode
        if mode == "down":
            await self.stop()
        elif self._runner is None:
            await self.start()

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/hook", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        if self.mode == "slow":
            await asyncio.sleep(30)
        if self.mode == "redirect":
            return web.Response(status=302, headers={"Location": "/elsewhere"})
        if self.mode == "500":
            return web.Response(status=500)
        body = await request.read()
        if self.secret and not self._is_ours(request, body):
            return web.Response(status=401)
        self.taken.append(json.loads(body))
        return web.Response(status=204)

    def _is_ours(self, request: web.Request, body: bytes) -> bool:
        headers = request.headers
        content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        right = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
        return hmac.compare_digest(headers["webhook-signature"], f"v1,{right}")


@asynccontextmanager
async def open_receiver() -> AsyncIterator[Receiver]:
    """One that is there, on a port that stays its own while it is away."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    receiver = Receiver(port)
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()
