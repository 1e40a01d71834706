"""From a provider's bytes to a valid answer; whatever it sends, only a `Fault` comes out."""

import json
from dataclasses import dataclass
from typing import TypedDict

from pydantic import ValidationError

from bot.llm.faults import Fault, Outcome
from handlers.answer import Action, Answer
from models.text import clean

LARGEST_BODY = 1_000_000
_SAFE: dict[str, object] = {
    "intent": "other",
    "sentiment": "neutral",
    "confidence": 0.5,
    "stage": "lead",
    "actions": [],
}


@dataclass(frozen=True, slots=True)
class Said:
    """The text a model wrote, which should be an answer, and what it cost."""

    content: str
    tokens: int
    prompt_tokens: int | None = None


def said(body: bytes) -> Said:
    """What the model wrote, from a chat completion's body."""
    whole = _loaded(body)
    if whole is None:
        raise Fault(Outcome.BAD_JSON)
    cost = _cost(whole.get("usage"))
    choice = _dict(_first(whole.get("choices")))
    message = _dict(choice.get("message"))
    content = message.get("content")
    content = clean(content) if isinstance(content, str) else ""
    if message.get("refusal") or choice.get("finish_reason") == "content_filter":
        raise Fault(Outcome.REFUSED, **cost)
    if choice.get("finish_reason") == "length":
        raise Fault(Outcome.TRUNCATED, content=content, **cost)
    if not content.strip():
        raise Fault(Outcome.INVALID, **cost)
    return Said(content, **cost)


def error_codes(body: bytes) -> set[str]:
    """The code and the type of a provider's refusal, as far as its body names them."""
    error = _dict((_loaded(body) or {}).get("error"))
    return {word for word in (error.get("code"), error.get("type")) if isinstance(word, str)}


def read(words: Said) -> Answer:
    """The answer in *words*; a fence or a preface around the object is forgiven."""
    for text in (words.content, _object_in(words.content)):
        try:
            return Answer.model_validate_json(text)
        except ValidationError:
            continue
    raise Fault(
        Outcome.INVALID,
        content=words.content,
        tokens=words.tokens,
        prompt_tokens=words.prompt_tokens,
    )


def salvaged(content: str) -> Answer | None:
    """The readable fields of an answer that no repair made valid, if its text is among them."""
    try:
        whole = json.loads(_object_in(content))
    except (ValueError, RecursionError):
        return None
    if not isinstance(whole, dict):
        return None
    known = {key: whole[key] for key in Answer.model_fields if key in whole}
    known["actions"] = _actions(whole.get("actions"))
    for _ in range(2):
        try:
            return Answer.model_validate_json(json.dumps({**_SAFE, **known}))
        except ValidationError as error:
            wrong = {item["loc"][0] for item in error.errors() if item["loc"]}
            known = {key: value for key, value in known.items() if key not in wrong}
    return None


def _actions(given: object) -> list[dict[str, object]]:
    """The readable ones, so that a payment link is not lost with an action beside it."""
    readable = []
    for action in given if isinstance(given, list) else []:
        known = {key: _dict(action)[key] for key in Action.model_fields if key in _dict(action)}
        try:
            Action.model_validate(known)
        except ValidationError:
            continue
        readable.append(known)
    return readable


def _loaded(body: bytes) -> dict[str, object] | None:
    try:
        whole = json.loads(body) if len(body) <= LARGEST_BODY else None
    except (ValueError, RecursionError):
        return None
    return whole if isinstance(whole, dict) else None


def _object_in(text: str) -> str:
    return text[text.find("{") : text.rfind("}") + 1]


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else None


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


class Cost(TypedDict):
    """What a request cost; ``prompt_tokens`` None: its tokens cannot be told apart."""

    tokens: int
    prompt_tokens: int | None


def _cost(usage: object) -> Cost:
    counted = _dict(usage)
    read, wrote, total = (
        value if isinstance(value := counted.get(f"{name}_tokens"), int) and value >= 0 else None
        for name in ("prompt", "completion", "total")
    )
    if total is None:
        total = 0 if isinstance(counted.get("total_tokens"), int) else (read or 0) + (wrote or 0)
    told = read is not None and read <= total
    return Cost(tokens=total, prompt_tokens=read if told else None)
