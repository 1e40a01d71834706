"""What is known of an answer of a model's, as the document names it: ``aiMetadata``, and back."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from models.values import AiMetadata

_NAMES = {"tokens_used": "tokensUsed", "response_time": "responseTime"}


def ai_document(ai: AiMetadata) -> dict[str, Any]:
    """The document's ``aiMetadata`` with its own field names; unknown fields are left out."""
    return {_NAMES.get(key, key): value for key, value in asdict(ai).items() if value is not None}


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
