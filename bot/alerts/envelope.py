"""The JSON body of a webhook: the same at each try, but for a fresh pairing link."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from bot.alerts.composing import AGAIN, BEGUN, ENDED, Composed
from bot.alerts.kinds import TRAITS, Kind
from bot.whatsapp.reasons import MEANINGS, Reason
from bot.whatsapp.states import State
from models.alert_settings import Addressee
from models.alerts import Letter

Data = Mapping[str, Any]


def envelope(letter: Letter, company: Addressee, composed: Composed | None) -> bytes:
    """The body; *composed* is there for alerts."""
    payload = letter.payload
    data = _alert(letter, composed) if composed else _event(letter.type, payload["data"])
    document = {
        "id": str(letter.event_id),
        "type": letter.type,
        "timestamp": _utc(payload["at"]),
        "company": {"id": str(company.company_id), "slug": company.slug, "name": company.name},
        "data": data,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _alert(letter: Letter, composed: Composed) -> dict[str, Any]:
    words = {"title": composed.title, "text": composed.text, "link": composed.link}
    if letter.type not in {BEGUN, AGAIN, ENDED}:
        return words
    payload = letter.payload
    return {
        "incident": payload["incident"],
        "kind": payload["kind"],
        "urgent": TRAITS[Kind(payload["kind"])].urgent,
        "began": _utc(payload["began"]),
        "ended": _utc(payload["ended"]) if payload["ended"] else None,
        **words,
    }


def _event(type_: str, data: Data) -> dict[str, Any]:
    shape = _SHAPES.get(type_)
    return {key: _plain(key, value) for key, value in (shape(data) if shape else data).items()}


def _session(data: Data) -> Data:
    reason = str(data.get("reason"))
    known = reason in {each.value for each in Reason}
    state = State(Reason(reason), str(data.get("detail") or "")) if known else None
    return {
        "state": MEANINGS[state.reason].phase.value if state else "disconnected",
        "reason": reason,
        "sentence": state.sentence("en") if state else "",
        "until": data.get("until") or None,
        "phone": data.get("phone"),
    }


def _handed_over(data: Data) -> Data:
    product = data.get("product") or {}
    return {
        **{key: data.get(key) for key in ("customerId", "phone", "name", "reason", "until")},
        "productId": product.get("id"),
    }


_SHAPES: Mapping[str, Callable[[Data], Data]] = MappingProxyType(
    {"session.changed": _session, "chat.handed_over": _handed_over}
)
_MOMENTS = {"sentAt", "until"}


def _plain(key: str, value: object) -> object:
    return _utc(value) if key in _MOMENTS and isinstance(value, str) else value


def _utc(moment: str) -> str:
    at = datetime.fromisoformat(moment).astimezone(UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
