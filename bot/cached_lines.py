"""How one line of a conversation stands in the context cache: JSON with the document's names."""

import json
from datetime import UTC, datetime
from functools import lru_cache

from models.ai_metadata import ai_metadata
from models.values import AiMetadata, Line, Sender

MOST_READ = 4096
"""Lines that are remembered as read: the next turn of a chat finds all but two of its last
lines again. `LONG` bounds what they take."""
LONG = 2000
"""Bytes; a longer line is read anew each time."""
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


def decode(line: bytes) -> Line:
    """Read a line back; raises ValueError if it is not one of ours."""
    return _decode(line) if len(line) > LONG else _remembered(line)


def _decode(line: bytes) -> Line:
    try:
        value = json.loads(line)
        return Line(
            id=value["id"],
            at=datetime.fromisoformat(value["timestamp"]),
            sender=Sender(value["sender"]),
            text=value["content"],
            ai=ai_metadata(value.get("aiMetadata")),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("not a cached line") from error


_remembered = lru_cache(maxsize=MOST_READ)(_decode)
