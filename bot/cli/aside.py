"""``lyrox aside``: messages that LYROX fails on, and what becomes of them."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from bot.cli.arguments import Arguments
from bot.cli.exits import Exit
from bot.cli.output import count, table
from bot.cli.stores import open_database
from bot.config import Settings, find, load
from bot.whatsapp.aside import Order, SetAside, aside_of, set_aside_in
from models.companies import find_company, list_companies
from models.errors import BadInput, LyroxError


def list_aside(arguments: Arguments) -> int:
    """Print one line for each message that is set aside on this machine."""
    settings = load(find(arguments.config))
    found = _found(settings.daemon.state_dir)
    names = asyncio.run(_names(settings)) if found else {}
    rows = [(names.get(company, str(company)), event) for company, event in found]
    if arguments.json:
        print(json.dumps([_facts(name, event) for name, event in rows], ensure_ascii=False))
    else:
        print(_table(rows) if rows else "nothing is set aside")
    return Exit.DONE


def retry_aside(arguments: Arguments) -> int:
    """Have messages taken in again: one, all of a company, or all."""
    settings = load(find(arguments.config))
    number = _ordered(settings, arguments, Order.RETRY)
    print(f"{count(number, 'message')} for intake again; a running daemon takes them in at once")
    return Exit.DONE


def drop_aside(arguments: Arguments) -> int:
    """Have one message forgotten, or all of a company."""
    settings = load(find(arguments.config))
    number = _ordered(settings, arguments, Order.DROP)
    print(f"{count(number, 'message')} dropped")
    return Exit.DONE


def _ordered(settings: Settings, arguments: Arguments, order: Order) -> int:
    state_dir, ref = settings.daemon.state_dir, arguments.company
    companies = list(set_aside_in(state_dir)) if ref is None else [_company(settings, ref)]
    number = sum(aside_of(state_dir, one).order(order, arguments.number) for one in companies)
    if not number:
        which = "" if arguments.number is None else f" under the number {arguments.number}"
        whose = "" if ref is None else f" of {ref}"
        raise BadInput(f"nothing{whose} is set aside{which}; `lyrox aside list` shows all")
    return number


def _company(settings: Settings, ref: str) -> UUID:
    try:
        return UUID(ref)  # It may be gone from the database.
    except ValueError:
        return asyncio.run(_looked_up(settings, ref))


async def _looked_up(settings: Settings, ref: str) -> UUID:
    async with open_database(settings):
        return (await find_company(ref)).id


async def _names(settings: Settings) -> dict[UUID, str]:
    """What companies are called, where PostgreSQL can be asked."""
    try:
        async with open_database(settings):
            return {company.id: company.slug for company in await list_companies()}
    except LyroxError:
        return {}


def _found(state_dir: Path) -> list[tuple[UUID, SetAside]]:
    companies = set_aside_in(state_dir)
    return [(one, event) for one in companies for event in aside_of(state_dir, one).waiting()]


def _facts(name: str, event: SetAside) -> dict[str, object]:
    entry = event.entry
    facts = {"company": name, "number": entry.seq, "since": event.at, "why": event.why}
    return {**facts, "bytes": len(entry.raw), "file": str(event.file)}


def _table(rows: Iterable[tuple[str, SetAside]]) -> str:
    facts = [_facts(*row) for row in rows]
    heads = ("COMPANY", "NUMBER", "SINCE", "WHY", "BYTES", "FILE")
    return table(heads, [tuple(each.values()) for each in facts])
