"""What is known of an answer of a model's, as the document names it: ``aiMetadata``, and back."""

from collections.abc import Mapping
from typing import Any

from models.values import AiMetadata


def ai_document(ai: AiMetadata) -> dict[str, Any]:
    """The document's ``aiMetadata`` with its own field names; unknown fields are left out."""
    told = {
        "model": ai.model,
        "tokensUsed": ai.tokens_used,
        "responseTime": ai.response_time,
        "intent": ai.intent,
        "sentiment": ai.sentiment,
        "confidence": ai.confidence,
    }
    return {name: value for name, value in told.items() if value is not None}


def ai_metadata(document: Mapping[str, Any] | None) -> AiMetadata | None:
    """The way back from `ai_document`; KeyError where it is none."""
    if document is None:
        return None
    return AiMetadata(
        model=document["model"],
        tokens_used=document["tokensUsed"],
        response_time=document["responseTime"],
        intent=document.get("intent"),
        sentiment=document.get("sentiment"),
        confidence=document.get("confidence"),
    )
