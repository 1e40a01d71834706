"""``lyrox why ID``: the whole story of a message, a turn or a reply."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.cli.arguments import Arguments
from bot.cli.exits import Exit
from bot.cli.output import table
from bot.cli.stores import open_database, progress
from bot.config import Settings, find, load
from bot.embedded import MONGOD
from bot.prices import cost
from bot.stores import urls_of
from bot.story import story
from models.companies import Company
from models.conversations import open_conversations
from models.errors import BadInput, RetryLater, Unavailable
from models.stories import Found, Stories
from models.tenancy import system_scope

CONTENT = "content"


def why(arguments: Arguments) -> int:
    """Print what the ledger knows of an id; BadInput where it knows nothing."""
    settings = load(find(arguments.config))
    said = asyncio.run(_asked(settings, arguments.id.strip()))
    if not arguments.text:
        said = _without_texts(said)
    print(json.dumps(said, ensure_ascii=False) if arguments.json else "\n".join(_pretty(said)))
    return Exit.DONE


async def _asked(settings: Settings, text: str) -> dict[str, Any]:
    async with open_database(settings) as database:
        stories = Stories(database.call, database.rows)
        found = await stories.find(text)
        if len(found) > 1:
            raise BadInput(f"{text} may be {_either(found)}; name one of them")
        raw = await stories.tell(found[0]) if found else None
        if raw is not None:
            return story(text, raw, settings.llm.targets)
        return await _cleared(settings, stories, text)


def _either(found: Sequence[Found]) -> str:
    names = sorted(map(str, found))
    return f"{', '.join(names[:-1])} or {names[-1]}"


async def _cleared(settings: Settings, stories: Stories, text: str) -> dict[str, Any]:
    """What is still known of something whose rows were cleared."""
    logs = [_priced(entry, settings) for entry in await stories.logged(text)]
    known = bool(logs) or await stories.was_there(text)
    try:
        line = await _remembered(settings, text)
    except (RetryLater, Unavailable):
        if not known:
            raise
        line = None
    if not (known or line):
        raise BadInput(
            f"nothing is known of {text}: give a WhatsApp message id, inbox-N, outbox-N or a"
            " turn's id"
        )
    days = settings.stores.ledger_days
    ending = f"Its ledger rows are gone: what is closed is cleared after {days} days (ledger_days)."
    return {"id": text, "cleared": True, "ending": ending, "line": line, "logs": logs}


def _priced(entry: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    requests = entry["event_data"].get("asked")
    paid = {"cost": cost(requests, settings.llm.targets)} if requests else {}
    return {**entry, **paid}


async def _remembered(settings: Settings, text: str) -> dict[str, Any] | None:
    """The line in a conversation document or its archive."""
    async with system_scope():
        companies = await Company.everywhere().only("id", "slug")
    name = settings.stores.mongo_database
    async with (
        urls_of(settings.stores, [MONGOD], progress=progress) as urls,
        open_conversations(urls.mongo, name) as conversations,
    ):
        for company in companies:
            if found := await conversations.archive.find(company.id, text):
                customer, line = found
                who = {"company": company.slug, "customer": str(customer)}
                said = {"at": line.at.isoformat(), "sender": line.sender.value}
                return who | said | {CONTENT: line.text}
    return None


def _without_texts(said: Any) -> Any:
    """What people wrote is shown only on request."""
    if isinstance(said, Mapping):
        return {key: _without_texts(value) for key, value in said.items() if key != CONTENT}
    return [_without_texts(each) for each in said] if isinstance(said, list) else said


def _pretty(said: Mapping[str, Any]) -> Iterator[str]:
    yield said["ending"]
    if said.get("cleared"):
        yield from _rest(said)
        return
    yield ""
    yield from _facts(_who(said) | _turn(said["turn"]) | _model(said["model"]) | said["checks"])
    left = ("ROW", "STATE", "SENT", "WHATSAPP", "WHY", "TEXT")
    for heads, rows in (
        (("MESSAGE", "ROW", "CAME", "STATE", "WHY", "TEXT"), map(_message, said["messages"])),
        (("PART", *left), map(_part, said["parts"])),
        (("NOTICE", *left), map(_part, said["notices"])),
    ):
        if lines := list(rows):
            yield ""
            yield _shown(heads, lines)


def _rest(said: Mapping[str, Any]) -> Iterator[str]:
    if line := said["line"]:
        yield ""
        yield "The conversation still has it:"
        yield from _facts(line)
    for entry in said["logs"]:
        yield ""
        yield from _facts({**entry, **entry["event_data"], "event_data": None})


def _who(said: Mapping[str, Any]) -> dict[str, Any]:
    return {"company": said["company"], "customer": (said["customer"] or {}).get("phone")}


def _turn(turn: Mapping[str, Any] | None) -> dict[str, Any]:
    if turn is None:
        return {}
    times = {"opened": _clock(turn["opened_at"]), "closed": _clock(turn["closed_at"])}
    return {"turn": turn["id"], "state": turn["state"], **times, "handler": turn["handler"]}


def _model(model: Mapping[str, Any] | None) -> dict[str, Any]:
    """Who answered, at what cost."""
    if model is None:
        return {}
    tokens = f"{model['tokens']}"
    if model["tokens_in"] is not None:
        tokens += f" ({model['tokens_in']} read, {model['tokens_out']} written)"
    return {
        "model": f"{model['model']} at {model['target']}",
        "prompt hash": model["prompt_hash"],
        "tokens": tokens,
        "cost": model["cost"],
        "milliseconds": model["milliseconds"],
    }


def _clock(moment: str | None) -> str | None:
    """The operator's own time, to the second."""
    if moment is None:
        return None
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M:%S %Z}"


def _facts(facts: Mapping[str, Any]) -> Iterator[str]:
    """Aligned, without what is not there; ``table`` keeps foreign text from moving the cursor."""
    rows = [
        (f"{name}:", value)
        for name, value in facts.items()
        if value is not None and not isinstance(value, list)
    ]
    if rows:
        yield from table(("", ""), rows).splitlines()[1:]


def _shown(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table without its empty columns."""
    columns = [n for n in range(len(heads)) if n == 0 or any(row[n] is not None for row in rows)]
    return table([heads[n] for n in columns], [[row[n] for n in columns] for row in rows])


def _message(each: Mapping[str, Any]) -> tuple[object, ...]:
    row = f"inbox-{each['id']}"
    came = _clock(each["received_at"])
    return each["wa_id"], row, came, each["state"], each["reason"], each.get(CONTENT)


def _part(each: Mapping[str, Any]) -> tuple[object, ...]:
    sent = _clock(each["sent_at"])
    if sent and not each["confirmed"]:
        sent = f"{sent} (unconfirmed)"
    row = f"outbox-{each['id']}"
    number = each.get("part", "")
    return number, row, each["state"], sent, each["wa_id"], each["reason"], each.get(CONTENT)
