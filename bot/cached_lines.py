"""How one line of a conversation stands in the context cache: JSON with the document's names."""

import json
from datetime import UTC, datetime
from typing import Any

from models.ai_metadata import ai_metadata
from models.values import AiMetadata, Line, Sender

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def encode(line: Line) -> bytes:
    """The document's field names; the time comes first and has one width, for the scripts."""
    at = line.at.astimezone(UTC).isoformat(timespec="milliseconds")
    value: dict[str, object] = {
        "timestamp": f"{at[:-6]}Z",
        "id": line.id,
        "direction": "incoming" if line.sender is Sender.CUSTOMER else "outgoing",
        "sender": line.sender.value,
        "content": line.text,
    }
    if line.ai is not None:
        value["aiMetadata"] = _metadata(line.ai)
    # A lone surrogate survives, as it does in json.loads.
    return _JSON.encode(value).encode("utf-8", "surrogatepass")


def _metadata(ai: AiMetadata) -> dict[str, object]:
    return {
        "model": ai.model,
        "tokensUsed": ai.tokens_used,
        "responseTime": ai.response_time,
        "intent": ai.intent,
        "sentiment": ai.sentiment,
        "confidence": ai.confidence,
    }


def decode(lines: bytes) -> tuple[Line, ...]:
    """Read a JSON array of lines back; raises ValueError if any is not one of ours."""
    try:
        return tuple(_decode(value) for value in json.loads(lines))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("not a cached line") from error


def _decode(value: dict[str, Any]) -> Line:
    ai = value.get("aiMetadata")
    return Line(
        id=value["id"],
        at=datetime.fromisoformat(value["timestamp"]),
        sender=Sender(value["sender"]),
        text=value["content"],
        ai=ai_metadata(ai),
    )
