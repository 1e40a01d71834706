"""``lyrox company``: what the operator sees and changes of companies."""

import asyncio
import json
from pathlib import Path

from bot.cli.arguments import Arguments
from bot.cli.output import table
from bot.cli.stores import open_database
from bot.config import Settings, find, load
from models.companies import Company, json_object
from models.companies import add_company as add
from models.companies import find_company as look_up
from models.companies import list_companies as all_companies
from models.companies import set_company as change
from models.errors import BadInput

FACTS = {
    "name": "name",
    "personality": "brand_personality",
    "system_prompt": "system_prompt",
    "industry": "industry",
    "website": "website",
    "active": "active",
    "language": "language",
    "time_zone": "time_zone",
    "mark_read": "mark_read",
    "typing": "show_typing",
    "pace_seconds": "pace_seconds",
    "reply_parts": "reply_parts",
    "pause_minutes": "pause_minutes",
    "resume_word": "resume_word",
    "typing_aware": "typing_aware",
}
"""What an argument is called in the table."""

MANNERS = tuple(FACTS.values())[-7:]
"""How a company's answers come; without a value as the configuration says."""

ONLINE = """\
Desde ahora la cuenta figura en línea, y WhatsApp deja de avisar en el teléfono del dueño de los
mensajes que llegan. Se deshace con --typing-aware no.
From now on the account shows as online, and WhatsApp no longer notifies the owner's phone of what
comes in. --typing-aware no takes it back."""
"""What the operator is to tell the owner: nobody expects it of a wait for who is typing."""


def list_companies(arguments: Arguments) -> int:
    """Print one line for each company."""
    companies = asyncio.run(_list(load(find(arguments.config))))
    heads = ("SLUG", "NAME", "ACTIVE", "PAUSED", "WHATSAPP")
    print(table(heads, map(_row, companies)) if companies else "no company yet; add one")
    return 0


def show_company(arguments: Arguments) -> int:
    """Print everything about one company."""
    company = asyncio.run(_show(load(find(arguments.config)), arguments.company))
    facts = _facts(company)
    if arguments.json:
        print(json.dumps(facts, ensure_ascii=False, default=str))
    else:
        print(
            "\n".join(f"{name}: {'-' if value is None else value}" for name, value in facts.items())
        )
    return 0


def add_company(arguments: Arguments) -> int:
    """Add a company, and its owner where the address is unknown."""
    company, password = asyncio.run(_add(load(find(arguments.config)), arguments))
    print(f"added {company.slug} ({company.id})")
    if password:
        print(new_owner(arguments.owner.lower(), password))
    return 0


def set_company(arguments: Arguments) -> int:
    """Change what the arguments name and leave the rest."""
    company = asyncio.run(_set(load(find(arguments.config)), arguments))
    print(f"changed {company.slug}")
    if arguments.typing_aware and company.typing_aware:
        print(ONLINE)
    return 0


def new_owner(email: str, password: str) -> str:
    """The only time a temporary password is seen."""
    return f"new owner {email}, temporary password (shown only now): {password}"


def named(arguments: Arguments, facts: dict[str, str]) -> dict[str, str]:
    """What was given on the command line, by the names of the table; ``@FILE`` is read."""
    given = {ours: getattr(arguments, word, None) for word, ours in facts.items()}
    values = {name: _read(name, text) for name, text in given.items() if text is not None}
    if not values:
        options = ", ".join(f"--{word.replace('_', '-')}" for word in facts)
        raise BadInput(f"nothing to change; give at least one of {options}")
    return values


def _read(name: str, text: str) -> str:
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise BadInput(f"{name}: {text[1:]} cannot be read: {why}") from None


async def _list(settings: Settings) -> list[Company]:
    async with open_database(settings):
        return await all_companies()


async def _show(settings: Settings, ref: str) -> Company:
    async with open_database(settings):
        return await look_up(ref)


async def _add(settings: Settings, arguments: Arguments) -> tuple[Company, str | None]:
    values = named(arguments, FACTS)
    async with open_database(settings):
        return await add(
            arguments.slug, values, owner_email=arguments.owner, owner_name=arguments.owner_name
        )


async def _set(settings: Settings, arguments: Arguments) -> Company:
    values = named(arguments, FACTS)
    async with open_database(settings):
        return await change(arguments.company, values)


def _row(company: Company) -> tuple[object, ...]:
    phone = company.whatsapp_phone
    return company.slug, company.name, company.active, company.paused, phone


def _facts(company: Company) -> dict[str, object]:
    return {
        "slug": company.slug,
        "id": company.id,
        "name": company.name,
        "active": company.active,
        "paused": company.paused,
        **{name: getattr(company, name) for name in MANNERS},
        "industry": company.industry,
        "website": company.website,
        "whatsapp_phone": company.whatsapp_phone,
        "whatsapp_connected": company.whatsapp_connected,
        "whatsapp_last_connected": company.whatsapp_last_connected,
        "subscription_plan": company.subscription_plan,
        "language": json_object(company.metadata).get("language"),
        "time_zone": json_object(company.metadata).get("time_zone"),
        "brand_personality": company.brand_personality,
        "system_prompt": company.system_prompt,
    }
