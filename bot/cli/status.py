"""``lyrox status``: asks the running daemon and starts nothing."""

import json
from collections.abc import Iterator
from typing import Any

from bot.cli.arguments import Arguments
from bot.cli.daemon import ask_daemon
from bot.cli.exits import Exit
from bot.cli.output import count, duration, table
from bot.config import find, load


def status(arguments: Arguments) -> int:
    """Print what the daemon says; 0 only when it answers and is ready."""
    settings = load(find(arguments.config))
    said = ask_daemon(settings.daemon.state_dir) or _nobody(str(settings.daemon.state_dir))
    print(json.dumps(said, ensure_ascii=False) if arguments.json else "\n".join(_pretty(said)))
    return Exit.DONE if said["ready"] else Exit.NOT_READY


def _nobody(state_dir: str) -> dict[str, Any]:
    sentence = f"no daemon answers for {state_dir}; start it with `lyrox run`"
    return {"ready": False, "problems": [sentence], "companies": [], "handovers": []}


def _pretty(said: dict[str, Any]) -> Iterator[str]:
    yield _head(said)
    for problem in said.get("problems", ()):
        yield f"  problem: {problem}"
    if companies := said.get("companies"):
        yield ""
        yield table(("COMPANY", "WHATSAPP", "PAUSED", "WHY"), map(_company, companies))
    if backlog := said.get("backlog"):
        yield ""
        yield _backlog(backlog)
    if handovers := said.get("handovers"):
        yield ""
        heads = ("HAND-OVER", "CUSTOMER", "NAME", "REASON", "SINCE", "UNTIL")
        yield table(heads, map(_handover, handovers))


def _head(said: dict[str, Any]) -> str:
    parts = ["ready" if said["ready"] else "not ready"]
    if "version" in said:
        parts.append(f"LYROX {said['version']}")
    if "uptime_seconds" in said:
        parts.append(f"up {duration(said['uptime_seconds'])}")
    if "llm" in said:
        parts.append(f"answers by {said['llm']}")
    stores = said.get("stores") or {}
    return ", ".join(parts) + "".join(f"; {name}: {how}" for name, how in stores.items())


def _company(each: dict[str, Any]) -> tuple[object, ...]:
    return each["slug"], each["state"], bool(each.get("paused")), each.get("sentence")


def _backlog(backlog: dict[str, Any]) -> str:
    line = f"{count(backlog['pending'], 'message')} pending"
    if backlog["pending"] and backlog.get("oldest_seconds"):
        line += f", the oldest for {duration(backlog['oldest_seconds'])}"
    return f"{line}; {backlog.get('outbox', 0)} to be sent"


def _handover(each: dict[str, Any]) -> tuple[object, ...]:
    keys = ("company", "customer", "name", "reason", "since", "until")
    return tuple(each.get(key) for key in keys)
