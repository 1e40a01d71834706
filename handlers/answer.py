"""The structured answer a language model gives: what it decided first, then what it says."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from models.values import Stage

Intent = Literal[
    "greeting",
    "product_inquiry",
    "price_inquiry",
    "purchase",
    "objection",
    "complaint",
    "support",
    "human_request",
    "farewell",
    "other",
]
Sentiment = Literal["positive", "neutral", "negative"]


def _share(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("must be a number")
    if 1 < value <= 100:
        value /= 100  # Some models answer in percent.
    return min(max(value, 0.0), 1.0)


def _said(value: str) -> str:
    if not value.strip():
        raise ValueError("must say something")
    return value


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Action(_Strict):
    """Something our code shall do; the model only names it and the product."""

    kind: Literal["send_payment_link", "send_picture", "hand_over"]
    product_ref: str | None = None


class Answer(_Strict):
    """One whole answer; the text comes last, so that it is written after the decision."""

    intent: Intent
    sentiment: Sentiment
    confidence: Annotated[float, AfterValidator(_share)]
    stage: Stage
    actions: list[Action]
    text: Annotated[str, AfterValidator(_said)]


def answer_schema() -> dict[str, Any]:
    """The JSON schema of `Answer` in the strict form: no references, titles or defaults.

    It asks for every field; what a model leaves out all the same is read as its default.
    """
    schema = Answer.model_json_schema()
    plain: dict[str, Any] = _inlined(schema, schema.pop("$defs", {}))
    return plain


_LEFT_OUT = {"title", "description", "default"}


def _inlined(node: Any, named: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, named) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(named[node["$ref"].rsplit("/", 1)[-1]], named)
    kept = {key: value for key, value in node.items() if key not in _LEFT_OUT}
    if isinstance(kept.get("properties"), dict):
        kept["required"] = list(kept["properties"])
    return {key: _inlined(value, named) for key, value in kept.items()}
