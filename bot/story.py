"""Why a message was answered as it was, or not: the ledger's facts, put in order."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.intake import OVER
from bot.llm_settings import Target
from bot.prices import cost

SILENT = {
    OVER: "the customer had written more than the rate limit allows",
    "too old when it arrived": "it was older than max_age_hours when it arrived",
    "a reaction": "a reaction asks for no answer",
    "written by the owner": "the owner wrote it, so the bot keeps out of the chat",
    "written at once": "the owner's phone sent it right after a first message; the chat is paused",
    "automatic text": "it is an automatic text of the Business app",
    "gave the chat back": "it is the word that gives the chat back to the bot",
    "changes another message": "it changes another message, which is answered as it stands now",
    "taken back by the customer": "the customer took it back before it was answered",
    "the same message again": "it came twice, and the other one was answered",
    "joined another turn of the same person": "it was answered with another turn of this person",
    "rings": "it is a call that still rings",
    "the owner took the call": "the owner took the call",
    "the number is another person's now": "the number is another person's now",
    "paused: owner": "the owner had taken over the chat",
    "paused: handover": "the chat had been handed to a person",
    "paused: command": "an operator had paused the chat",
    "paused: company": "the company was paused",
}
"""What the ledger's reasons mean; one that is not here speaks for itself."""


def story(asked: str, raw: Mapping[str, Any], targets: Iterable[Target]) -> dict[str, Any]:
    """The answer to ``lyrox why``, as ``--json`` prints it."""
    turn = raw["turn"]
    told: dict[str, Any] = {
        "id": asked,
        "company": raw["company"]["slug"],
        "customer": raw["customer"],
        "ending": ending(raw),
        "messages": raw["messages"],
        "turn": _turn(turn) if turn else None,
        "model": _model(turn, raw["parts"], targets) if turn else None,
        "checks": dict(_checks(raw)),
        "parts": raw["parts"],
        "notices": raw["notices"],
    }
    return told


def ending(raw: Mapping[str, Any]) -> str:
    """How it ended, or how it stands, in one sentence."""
    turn, parts = raw["turn"], [part for part in raw["parts"] if part["state"] != "superseded"]
    if turn is None:
        return _alone(raw["messages"], parts)
    if turn["state"] == "open":
        return _open(turn)
    if turn["state"] == "silent":
        return f"Not answered: {why_silent(turn['reason'])}."
    if turn["state"] == "failed":
        return f"Not answered: the answer could not be sent ({turn['reason']})."
    return _answered(raw["messages"], parts)


def why_silent(reason: str | None) -> str:
    """The reason in words."""
    return SILENT.get(reason or "", reason or "nobody noted why")


def _alone(messages: Sequence[Mapping[str, Any]], parts: Sequence[Mapping[str, Any]]) -> str:
    """What belongs to no turn: a message that waits or is silent, or a notice."""
    if not messages:
        return f"A notice, no turn's reply: {_leaving(parts[0])}."
    if messages[0]["state"] == "pending":
        return "It waits for its turn."
    return f"Not answered: {why_silent(messages[0]['reason'])}."


def _open(turn: Mapping[str, Any]) -> str:
    if turn["host_id"]:
        return f"It is being answered by {turn['host'] or 'a process that has ended'}."
    if turn["due_at"]:
        why = f" ({turn['reason']})" if turn["reason"] else ""
        return f"It waits to be tried again at {turn['due_at']}{why}."
    return "It waits for somebody to take it up again."


def _answered(messages: Sequence[Mapping[str, Any]], parts: Sequence[Mapping[str, Any]]) -> str:
    unsaid = [part for part in parts if part["state"] != "sent"]
    if unsaid:
        return f"Answered, but part {unsaid[0]['part']} of {len(parts)}: {_leaving(unsaid[0])}."
    said = [datetime.fromisoformat(part["sent_at"]) for part in parts]
    came = [datetime.fromisoformat(message["received_at"]) for message in messages]
    after = ""
    if said and came:
        after = f" {(min(said) - max(came)).total_seconds():.1f} s after the last message"
    doubt = "" if all(part["confirmed"] for part in parts) else "; nobody saw it confirmed"
    return f"Answered{after}{doubt}."


def _leaving(part: Mapping[str, Any]) -> str:
    known = {
        "ready": "it waits to be sent",
        "sending": "it is being sent, or a process ended while it was",
        "sent": f"sent at {part['sent_at']}",
        "stopped": f"not said, {why_silent(part['reason'])}",
        "failed": f"WhatsApp refused it ({part['reason']})",
    }
    return known[part["state"]]


def _turn(turn: Mapping[str, Any]) -> dict[str, Any]:
    names = ("id", "state", "reason", "handler", "host", "opened_at", "closed_at", "due_at")
    counts = {"attempts": turn["attempt"], "vain": turn["tries"], "taken_back": turn["superseded"]}
    return {**{name: turn[name] for name in names}, **counts}


def _model(
    turn: Mapping[str, Any], parts: Sequence[Mapping[str, Any]], targets: Iterable[Target]
) -> dict[str, Any] | None:
    """Who answered and at what cost; None where no model did."""
    details = turn["details"]
    requests = details.get("asked", [])
    if not requests:
        return None
    ai: Mapping[str, Any] = next((p["ai_metadata"] for p in parts if p["ai_metadata"]), {})
    split = all("in" in request for request in requests)
    return {
        "target": requests[-1]["target"],
        "model": requests[-1]["model"],
        "prompt_hash": details.get("prompt_hash"),
        "requests": requests,
        "tokens_in": sum(request["in"] for request in requests) if split else None,
        "tokens_out": sum(request["out"] for request in requests) if split else None,
        "tokens": sum(_tokens(request) for request in requests),
        "milliseconds": ai.get("responseTime"),
        "cost": cost(requests, targets),
    }


def _tokens(request: Mapping[str, Any]) -> int:
    known = request["tokens"] if "tokens" in request else request["in"] + request["out"]
    return int(known)


def _checks(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What was looked at on the way, and what it said."""
    turn, messages = raw["turn"], raw["messages"]
    reasons = {each["reason"] for each in (*messages, *raw["parts"], turn or {"reason": None})}
    if any(message["sender"] == "customer" for message in messages):
        yield "rate limit", "over" if OVER in reasons else "passed"
    paused = sorted(reason for reason in reasons if (reason or "").startswith("paused: "))
    yield "pause", why_silent(paused[0]) if paused else "none"
    if turn is None:
        return
    details = turn["details"]
    yield "taken back", _times(turn["superseded"], "because the customer wrote more")
    yield "attempts", f"{turn['attempt']}, {turn['tries']} of them in vain"
    if "asked" in details:
        yield "guard", _guard(details)
    if why := details.get("why") or details.get("reason"):
        yield "noted", str(why)
    yield "notices", str(len(raw["notices"]))


def _guard(details: Mapping[str, Any]) -> str:
    found = [f"held an answer back ({', '.join(details['guard'])})"] if "guard" in details else []
    if details.get("link_removed"):
        found.append("removed a link")
    return "; ".join(found) or "passed"


def _times(number: int, why: str) -> str:
    return f"{number} times, {why}" if number else "never"
