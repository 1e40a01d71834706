"""``/pair/…``: the page on which an owner links a phone, for those who have a link to it."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from urllib.parse import parse_qsl
from uuid import UUID

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.pairing.budget import Budget
from bot.pairing.links import Flaw, LinkRefused, PairingLinks
from bot.pairing.pairings import CompanyPairing, Pairings
from bot.pairing.phone_numbers import digits_of
from bot.web import answers
from bot.web.document import Shown, notice, page
from bot.web.listener import BODY_BYTES, listening
from bot.web.pairing_html import PairingHtml
from bot.web.pairing_stream import stream
from bot.web.pairing_words import Words, words_for
from bot.web.visitors import Visitors
from models.errors import RetryLater, Unavailable

log = logging.getLogger(__name__)

STREAMS = 40
"""So many pages follow one company at once."""
_STREAM_SECONDS = 15.0


@dataclass(frozen=True)
class PageParts:
    """What the page needs; *refused* is told why a link did not open it."""

    links: PairingLinks
    pairings: Pairings
    visitors: Visitors
    device_name: str
    refused: Callable[[str], None]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(frozen=True)
class Visit:
    """One request with a link that counts."""

    token: str
    company_id: UUID
    expires_at: datetime
    pairing: CompanyPairing
    words: Words
    html: PairingHtml
    name: str


class PairingPage:
    """The routes below ``/pair/``."""

    def __init__(self, parts: PageParts) -> None:
        self._parts = parts
        self._wrong = Budget(30, 2.0)
        self._right = Budget(120, 0.25)

    def app(self) -> web.Application:
        """The application; whatever it does not know is a link that does not work."""
        app = web.Application(middlewares=[self._politely], client_max_size=BODY_BYTES)
        app.router.add_get("/pair/{token}", self._show)
        app.router.add_post("/pair/{token}", self._do)
        app.router.add_get("/pair/{token}/letters", self._ask_number)
        app.router.add_post("/pair/{token}/letters", self._take_number)
        app.router.add_get("/pair/{token}/events", self._follow, allow_head=False)
        app.on_response_prepare.append(answers.seal)
        return app

    @web.middleware
    async def _politely(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Whatever goes wrong is one plain page."""
        words = words_for(request.headers.get("Accept-Language", ""))
        try:
            return await handler(request)
        except LinkRefused as refused:
            return self._turn_away(request, words, refused.flaw)
        except _Crowded as crowded:
            return answers.crowded(words, crowded.seconds)
        except (RetryLater, Unavailable) as error:
            log.warning("the pairing page waits for a store", extra={"why": str(error)})
            return answers.away(words)
        except web.HTTPException as error:
            status = 404 if error.status == 405 else error.status
            return answers.html(notice(words, "dead"), status=status)

    async def _show(self, request: web.Request) -> web.Response:
        visit = await self._visit(request)
        view = await visit.pairing.look()
        shown = visit.html.step(view, asyncio.get_running_loop().time())
        return self._page(visit, shown, events=f"{visit.token}/events")

    async def _do(self, request: web.Request) -> web.Response:
        visit = await self._visit(request)
        given = await _fields(request)
        match given.get("do"):
            case "begin":
                visit.pairing.begin(digits_of(given.get("letters", "")) or "")
            case "keep" | "refuse" as answer:
                visit.pairing.answer(answer == "keep")
        return answers.see_other(visit.token)

    async def _ask_number(self, request: web.Request) -> web.Response:
        visit = await self._visit(request)
        return self._page(visit, visit.html.number())

    async def _take_number(self, request: web.Request) -> web.Response:
        visit = await self._visit(request)
        written = (await _fields(request)).get("phone", "")
        digits = digits_of(written)
        if digits is None:
            return self._page(visit, visit.html.number(wrong=written), status=400)
        visit.pairing.begin(digits)
        return answers.see_other(f"../{visit.token}")

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        """Each step as it comes, until the last one, the link's end, or the browser's leaving."""
        visit = await self._visit(request)
        if visit.pairing.watchers >= STREAMS:
            raise _Crowded(_STREAM_SECONDS)
        await visit.pairing.begin_at_first()
        return await stream(
            request, visit.pairing, visit.html, counts=partial(self._counts, visit.token)
        )

    def _counts(self, token: str) -> bool:
        """Whether whoever follows by this link may go on; a pairing uses it up at its very end."""
        try:
            self._parts.links.read(token)
        except LinkRefused as refused:
            return refused.flaw is Flaw.USED
        return True

    async def _visit(self, request: web.Request) -> Visit:
        """Raises LinkRefused, _Crowded, RetryLater or Unavailable."""
        token = request.match_info["token"]
        company_id, expires_at = self._parts.links.read(token)
        if wait := self._right.spend(self._visitor(request)):
            raise _Crowded(wait)
        pairing = self._parts.pairings.of(company_id)
        words = words_for(request.headers.get("Accept-Language", ""))
        name = (await pairing.facts()).name
        html = PairingHtml(words, name, token, self._parts.device_name)
        return Visit(token, company_id, expires_at, pairing, words, html, name)

    def _turn_away(self, request: web.Request, words: Words, flaw: Flaw) -> web.Response:
        """One plain page, whatever is wrong; its status alone tells old links from forged ones."""
        self._parts.refused(flaw.value)
        if flaw is Flaw.FORGED and (wait := self._wrong.spend(self._visitor(request))):
            return answers.crowded(words, wait)
        return answers.html(notice(words, "dead"), status=404 if flaw is Flaw.FORGED else 410)

    def _visitor(self, request: web.Request) -> str:
        forwarded = request.headers.getall("X-Forwarded-For", [])
        return self._parts.visitors.name(request.remote, forwarded)

    def _page(
        self, visit: Visit, shown: Shown, *, events: str = "", status: int = 200
    ) -> web.Response:
        left = visit.expires_at - self._parts.now()
        minutes = max(1, math.ceil(left.total_seconds() / 60))
        text = page(visit.words, shown, visit.name, minutes=minutes, events=events)
        return answers.html(text, status=status)


@asynccontextmanager
async def serve_pairing(listen: str, parts: PageParts) -> AsyncIterator[str]:
    """Answer on *listen* while the context lasts; yields ``host:port``.

    Raises StartupRefused or Unavailable.
    """
    app = PairingPage(parts).app()
    async with listening(listen, app, key="web.public_listen", public=True) as address:
        yield address


async def _fields(request: web.Request) -> dict[str, str]:
    """What our own forms send; anything else is no field, or a value that will not do."""
    try:
        body = await request.read()
    except (web.RequestPayloadError, ConnectionError):  # It broke off.
        raise web.HTTPBadRequest from None
    return dict(parse_qsl(body.decode("utf-8", "replace")))


class _Crowded(Exception):
    """Too much was asked; *seconds* until it may be asked again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds
