"""``lyrox status``: asks the running daemons and starts nothing."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.cli.arguments import Arguments
from bot.cli.daemon import Shard, ask_daemons
from bot.cli.exits import Exit
from bot.cli.output import count, duration, table
from bot.config import find, load
from bot.whatsapp.reasons import Reason


def status(arguments: Arguments) -> int:
    """Print what the daemons say; 0 only when all of them answer and are ready."""
    state_dir = load(find(arguments.config)).daemon.state_dir
    said = gathered(ask_daemons(state_dir), state_dir)
    print(json.dumps(said, ensure_ascii=False) if arguments.json else "\n".join(_pretty(said)))
    return Exit.DONE if said["ready"] else Exit.NOT_READY


def gathered(shards: Sequence[Shard], state_dir: Path) -> dict[str, Any]:
    """One answer from all of them: each company as its holder sees it, the rest from the first."""
    if not shards:
        sentence = f"no daemon answers for {state_dir}; start it with `lyrox run`"
        return {"ready": False, "problems": [sentence], "companies": [], "handovers": []}
    answers = [shard.said for shard in shards if shard.said]
    first = answers[0] if answers else {"handovers": []}
    return {
        **{key: value for key, value in first.items() if key != "shard"},
        "ready": all(shard.said and shard.said["ready"] for shard in shards),
        "problems": list(_problems(shards)),
        "journal": sum((shard.said or {}).get("journal", 0) for shard in shards),
        "companies": list(_companies(shards).values()),
        "shards": [_shard(shard) for shard in shards],
    }


def _problems(shards: Sequence[Shard]) -> Iterator[str]:
    for shard in shards:
        if shard.said is None:
            yield shard.problem
            continue
        whose = f"shard {shard.number}: " if len(shards) > 1 else ""
        lasting = {one["says"]: one["seconds"] for one in shard.said.get("degraded", ())}
        for problem in shard.said.get("problems", ()):
            since = f" (for {duration(seconds)})" if (seconds := lasting.get(problem)) else ""
            yield f"{whose}{problem}{since}"


def _companies(shards: Iterable[Shard]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for shard in shards:
        for company in (shard.said or {}).get("companies", ()):
            if company.get("shard") == shard.number or company["slug"] not in found:
                found[company["slug"]] = company
    return found


def _shard(shard: Shard) -> dict[str, Any]:
    said = shard.said or {"ready": False}
    facts: dict[str, Any] = {"shard": shard.number, "listen": shard.listen}
    facts |= {key: said[key] for key in ("ready", "uptime_seconds", "version") if key in said}
    return facts


def _pretty(said: Mapping[str, Any]) -> Iterator[str]:
    shards = said.get("shards", ())
    yield _head(said, shards)
    if len(shards) > 1:
        yield from map(_line, shards)
    for problem in said.get("problems", ()):
        yield f"  problem: {problem}"
    yield from map(_worker, said.get("workers", ()))
    if companies := said.get("companies"):
        yield ""
        yield _table(companies, several=len(shards) > 1)
        yield from _no_room(companies, shards)
    if backlog := said.get("backlog"):
        yield ""
        yield _backlog(backlog)
    yield from _on_the_disk(said)
    if handovers := said.get("handovers"):
        yield ""
        heads = ("HAND-OVER", "CUSTOMER", "NAME", "REASON", "SINCE", "UNTIL")
        yield table(heads, map(_handover, handovers))
    yield from _alerts(said.get("alerts") or {})
    if too_old := said.get("too_old"):
        yield ""
        columns = ("TOO LATE TO ANSWER", "CUSTOMER", "NAME", "MESSAGES", "WRITTEN")
        yield table(columns, map(_too_old, too_old))


def _head(said: Mapping[str, Any], shards: Sequence[Mapping[str, Any]]) -> str:
    parts = ["ready" if said["ready"] else "not ready"]
    if "version" in said:
        parts.append(f"LYROX {said['version']}")
    if len(shards) > 1:
        parts.append(count(len(shards), "shard"))
    elif "uptime_seconds" in said:
        parts.append(f"up {duration(said['uptime_seconds'])}")
    if "llm" in said:
        parts.append(f"answers by {said['llm']}")
    stores = said.get("stores") or {}
    return ", ".join(parts) + "".join(f"; {name}: {how}" for name, how in stores.items())


def _line(shard: Mapping[str, Any]) -> str:
    parts = ["ready" if shard["ready"] else "not ready"]
    if "uptime_seconds" in shard:
        parts.append(f"up {duration(shard['uptime_seconds'])}")
    if shard["listen"]:
        parts.append(f"http://{shard['listen']}")
    return f"  shard {shard['shard']}: {', '.join(parts)}"


def _worker(worker: Mapping[str, Any]) -> str:
    turns, up = count(worker["turns"], "turn"), duration(worker["seconds"])
    return f"  worker {worker['number']} ({worker['name']}): up {up}, {turns} at work"


def _table(companies: Iterable[Mapping[str, Any]], *, several: bool) -> str:
    if not several:
        return table(("COMPANY", "WHATSAPP", "PAUSED", "WHY"), map(_company, companies))
    rows = ((*(row := _company(one))[:3], one.get("shard"), row[3]) for one in companies)
    return table(("COMPANY", "WHATSAPP", "PAUSED", "SHARD", "WHY"), rows)


def _no_room(
    companies: Iterable[Mapping[str, Any]], shards: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    """How many no process has room for, and what to do."""
    if waiting := sum(one.get("reason") == Reason.NO_ROOM for one in companies):
        who = "1 company waits" if waiting == 1 else f"{waiting} companies wait"
        number = 1 + max((one["shard"] for one in shards), default=0)
        yield f"{who} for room: start another shard, `lyrox run --shard {number}`"


def _company(each: Mapping[str, Any]) -> tuple[object, ...]:
    return each["slug"], each["state"], bool(each.get("paused")), each.get("sentence")


def _backlog(backlog: Mapping[str, Any]) -> str:
    line = f"{count(backlog['pending'], 'message')} pending"
    if backlog["pending"] and backlog.get("oldest_seconds"):
        line += f", the oldest for {duration(backlog['oldest_seconds'])}"
    return f"{line}; {backlog.get('outbox', 0)} to be sent"


def _on_the_disk(said: Mapping[str, Any]) -> Iterator[str]:
    """What intake has not got, and what it cannot take."""
    if waiting := said.get("journal"):
        yield f"{count(waiting, 'message')} on the disk, not taken in yet"
    for each in said.get("set_aside", ()):
        whose = f"{count(each['events'], 'message')} of {each['company']}"
        yield f"{whose} set aside, because LYROX fails on them: `lyrox aside list`"


def _alerts(alerts: Mapping[str, Any]) -> Iterator[str]:
    """What is amiss, and what could not be delivered."""
    if amiss := alerts.get("open"):
        yield ""
        yield table(("AMISS", "WHAT", "SINCE", "TOLD"), map(_incident, amiss))
    if dead := alerts.get("dead"):
        yield ""
        yield f"{count(dead, 'dead letter')}: nobody took them for a day;"
        yield "`lyrox alert retry` sends them again. The newest:"
        heads = ("COMPANY", "CHANNEL", "WHAT", "SINCE", "TRIES", "WHY")
        yield table(heads, map(_letter, alerts.get("letters", ())))


def _incident(each: Mapping[str, Any]) -> tuple[object, ...]:
    return each["company"], each["kind"], each["since"], each.get("told")


def _letter(each: Mapping[str, Any]) -> tuple[object, ...]:
    keys = ("company", "channel", "type", "since", "attempts", "reason")
    return tuple(each.get(key) for key in keys)


def _too_old(each: Mapping[str, Any]) -> tuple[object, ...]:
    keys = ("company", "customer", "name", "messages", "written")
    return tuple(each.get(key) for key in keys)


def _handover(each: Mapping[str, Any]) -> tuple[object, ...]:
    keys = ("company", "customer", "name", "reason", "since", "until")
    return tuple(each.get(key) for key in keys)
