"""``lyrox pair``: links a company's phone, shown on a terminal or told to a program."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from bot.cli.arguments import Arguments
from bot.cli.exits import Exit
from bot.cli.pairing_decision import Decision
from bot.cli.stores import open_database
from bot.config import Settings, find, load
from bot.pairing.links import open_links, pairing_link
from bot.whatsapp.pairing import PairEvent, Pairing
from bot.whatsapp.qr import qr_text
from models.companies import Company, find_company
from models.errors import StartupRefused

HOW = "On the phone: WhatsApp, Linked devices, Link a device, and scan this"
LETTERS = (
    "On the phone {phone}: WhatsApp, Linked devices, Link a device, Link with phone number."
    " Type {code}"
)
NO_URL = (
    "web.public_url: is not set, so no link leads to the pairing page; put a reverse proxy in front"
    " of web.public_listen as docs/operations.md shows and set both, or use `lyrox pair {slug}`"
)


def pair(arguments: Arguments) -> int:
    """Show codes until one is used; 0 when the phone is paired. Or make or revoke links."""
    return asyncio.run(_pair(load(find(arguments.config)), arguments))


@dataclass(frozen=True)
class Screen:
    """Where events are shown: as lines for a program, or drawn for a person."""

    slug: str
    as_json: bool
    letters: str = ""

    def show(self, event: PairEvent) -> bool:
        """Whether it is worth going on."""
        if self.as_json:
            _tell(event.as_json())
            return event.event != "failed"
        draw: dict[str, Callable[[PairEvent], bool]] = {
            "qr": self._draw_code,
            "letters": self._draw_letters,
            "letters_refused": self._refuse,
            "linked": lambda _: True,
            "paired": self._draw_end,
            "failed": self._refuse,
        }
        return draw[event.event](event)

    def _draw_code(self, event: PairEvent) -> bool:
        if self.letters:
            return True
        if not sys.stdout.isatty():
            _complain(
                "a QR code is drawn only on a terminal; run this in one, or take --json or --phone"
            )
            return False
        squares = qr_text(event.code)
        if not _can_show(squares):
            _complain(
                f"this terminal shows no squares in {sys.stdout.encoding}; set a UTF-8 locale,"
                " or take --json or --phone"
            )
            return False
        print(f"{squares}{HOW} (good for {event.expires_in:.0f} s).", flush=True)
        return True

    def _draw_letters(self, event: PairEvent) -> bool:
        if event.phone == self.letters:
            told = LETTERS.format(phone=f"+{event.phone}", code=event.code)
            print(f"{told} (good for {event.expires_in:.0f} s).", flush=True)
        return True

    def _draw_end(self, event: PairEvent) -> bool:
        print(f"{self.slug} is {'already ' * event.already}paired with {event.phone}.")
        return True

    def _refuse(self, event: PairEvent) -> bool:
        if event.event == "letters_refused" and event.phone != self.letters:
            return True  # Somebody else asked for them.
        _complain(f"{self.slug}: {event.sentence}")
        return False


async def follow(events: AsyncIterator[PairEvent], screen: Screen) -> Exit:
    """Show each event; the last one decides."""
    async for event in events:
        if not screen.show(event):
            return Exit.NOT_READY
        if event.event == "paired":
            return Exit.DONE
    return Exit.NOT_READY


async def _pair(settings: Settings, arguments: Arguments) -> Exit:
    async with open_database(settings):
        company = await find_company(arguments.company)
    if arguments.revoke:
        return _revoke(settings, company, as_json=arguments.json)
    if arguments.link:
        return _link(settings, company, as_json=arguments.json)
    letters = arguments.phone or ""
    decision = Decision(settings, company, new_number=arguments.new_number, asks=not arguments.json)
    pairing = Pairing(company.id, settings, decide=decision.decide, phone=letters)
    async with aclosing(pairing.events()) as events:
        return await follow(events, Screen(company.slug, arguments.json, letters))


def _link(settings: Settings, company: Company, *, as_json: bool) -> Exit:
    link = pairing_link(settings, company.id)
    if link is None:
        raise StartupRefused(NO_URL.format(slug=company.slug))
    if as_json:
        _tell({"event": "link", "url": link.url, "expires_at": link.expires_at.isoformat()})
    else:
        print(link.url)
        _complain(
            f"{company.slug}: for its owner alone, until {link.expires_at.astimezone():%H:%M} or"
            f" until a phone is paired; `lyrox pair {company.slug} --revoke` ends it sooner"
        )
    return Exit.DONE


def _revoke(settings: Settings, company: Company, *, as_json: bool) -> Exit:
    open_links(settings).revoke(company.id)
    if as_json:
        _tell({"event": "revoked"})
    else:
        print(f"No pairing link of {company.slug} works any more.")
    return Exit.DONE


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _tell(words: Mapping[str, object]) -> None:
    print(json.dumps(words, ensure_ascii=False), flush=True)


def _complain(text: str) -> None:
    print(f"lyrox: {text}", file=sys.stderr)
