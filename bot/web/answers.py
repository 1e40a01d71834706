"""What every answer of a public page has in common: nobody keeps it, frames it or learns of it."""

import math

from aiohttp import web

from bot.web.document import POLICY, notice
from bot.web.pairing_words import Words

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "X-Robots-Tag": "noindex, nofollow",
}


def html(text: str, *, status: int = 200) -> web.Response:
    """A page."""
    return web.Response(
        body=text.encode("utf-8", "backslashreplace"),
        status=status,
        content_type="text/html",
        charset="utf-8",
        headers={"Vary": "Accept-Language"},
    )


def crowded(words: Words, seconds: float) -> web.Response:
    """Too much was asked; *seconds* until it may be asked again."""
    wait = math.ceil(seconds)
    response = html(notice(words, "crowded", seconds=wait), status=429)
    response.headers["Retry-After"] = str(wait)
    return response


def away(words: Words) -> web.Response:
    """A store does not answer; the page tries again by itself."""
    response = html(notice(words, "away", tries_again=True), status=503)
    response.headers["Retry-After"] = "5"
    return response


def see_other(place: str) -> web.Response:
    """What was asked is done; *place* shows it."""
    return web.Response(status=303, headers={"Location": place})


async def seal(_request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers on."""
    response.headers.update(HEADERS)
