"""A company's pairing as server-sent events: each step as it comes, and a sign of life between."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from aiohttp import ClientConnectionResetError, web

from bot.pairing.pairings import CompanyPairing
from bot.pairing.view import Step, View
from bot.web.pairing_html import PairingHtml
from models.errors import RetryLater, Unavailable

BEAT_SECONDS = 15.0
"""A stream says something at least this often, or a proxy takes it for dead."""

_RETRY_MILLISECONDS = 1000
_HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}


async def stream(
    request: web.Request,
    pairing: CompanyPairing,
    html: PairingHtml,
    *,
    counts: Callable[[], bool],
    beat_seconds: float = BEAT_SECONDS,
) -> web.StreamResponse:
    """Until the last step, or until the link no longer *counts* or the browser has gone."""
    response = web.StreamResponse(headers=_HEADERS)
    await response.prepare(request)
    await response.write(f"retry: {_RETRY_MILLISECONDS}\n\n".encode())
    try:
        async with aclosing(_views(pairing, beat_seconds)) as views:
            async for view in views:
                await response.write(_event(html, view) if view else b": still here\n\n")
                if not counts() or (view and view.step is Step.CONNECTED):
                    break
    except (ClientConnectionResetError, RetryLater, Unavailable):
        pass  # The browser comes back by itself, if it wants to.
    return response


async def _views(pairing: CompanyPairing, beat_seconds: float) -> AsyncGenerator[View | None, None]:
    """The views, and None whenever there was none for a while."""
    async with aclosing(pairing.watch()) as views:
        coming = asyncio.ensure_future(anext(views))
        try:
            while True:
                done, _ = await asyncio.wait({coming}, timeout=beat_seconds)
                yield coming.result() if done else None
                if done:
                    coming = asyncio.ensure_future(anext(views))
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)


def _event(html: PairingHtml, view: View) -> bytes:
    shown = html.step(view, asyncio.get_running_loop().time())
    words = {"key": shown.key, "said": shown.said, "html": shown.html, "over": shown.over}
    return f"data: {json.dumps(words, ensure_ascii=False)}\n\n".encode()
