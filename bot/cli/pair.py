"""``lyrox pair``: links a company's phone, shown on a terminal or told to a program."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing

from bot.cli.arguments import Arguments
from bot.cli.exits import Exit
from bot.cli.stores import open_database
from bot.config import Settings, find, load
from bot.whatsapp.pairing import PairEvent
from bot.whatsapp.pairing import pair as pair_company
from bot.whatsapp.qr import qr_text
from models.companies import find_company

HOW = "On the phone: WhatsApp, Linked devices, Link a device, and scan this"


def pair(arguments: Arguments) -> int:
    """Show codes until one is scanned; 0 when the phone is paired."""
    settings = load(find(arguments.config))
    return asyncio.run(_pair(settings, arguments.company, as_json=arguments.json))


async def follow(events: AsyncIterator[PairEvent], slug: str, *, as_json: bool) -> Exit:
    """Show each event; the last one decides."""
    show = _tell if as_json else _draw
    async for event in events:
        if not show(event, slug):
            return Exit.NOT_READY
        if event.event == "paired":
            return Exit.DONE
    return Exit.NOT_READY


async def _pair(settings: Settings, words: str, *, as_json: bool) -> Exit:
    async with open_database(settings):
        company = await find_company(words)
    async with aclosing(pair_company(company.id, settings)) as events:
        return await follow(events, company.slug, as_json=as_json)


def _tell(event: PairEvent, slug: str) -> bool:
    del slug
    print(json.dumps(event.as_json(), ensure_ascii=False), flush=True)
    return event.event != "failed"


def _draw(event: PairEvent, slug: str) -> bool:
    if event.event == "failed":
        print(f"lyrox: {slug}: {event.sentence}", file=sys.stderr)
        return False
    if event.event == "paired":
        print(f"{slug} is {'already ' * event.already}paired with {event.phone}.")
        return True
    if not sys.stdout.isatty():
        print(
            "lyrox: a QR code is drawn only on a terminal; run this in one, or take --json",
            file=sys.stderr,
        )
        return False
    print(f"{qr_text(event.code)}{HOW} (good for {event.expires_in:.0f} s).", flush=True)
    return True
