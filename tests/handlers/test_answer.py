"""The schema every strict server accepts, and the values it cannot express."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from handlers.answer import Answer, answer_schema
from tests.handlers.making import answer


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from nodes(value)
    if isinstance(schema, list):
        for value in schema:
            yield from nodes(value)


def test_the_schema_is_strict_everywhere() -> None:
    schema = answer_schema()

    objects = [node for node in nodes(schema) if node.get("type") == "object"]
    assert len(objects) == 2
    for node in objects:
        assert node["additionalProperties"] is False
        assert node["required"] == list(node["properties"])
    banned = {"default", "$ref", "$defs", "title", "format", "pattern", "minLength", "allOf"}
    assert not any(banned & node.keys() for node in nodes(schema))


def test_the_text_is_written_after_the_decision() -> None:
    assert list(answer_schema()["properties"]) == [
        "intent",
        "sentiment",
        "confidence",
        "stage",
        "actions",
        "text",
    ]


@pytest.mark.parametrize(
    ("given", "kept"), [(0.4, 0.4), (1, 1.0), (95, 0.95), (-3, 0.0), (1000, 1.0)]
)
def test_confidence_ends_up_between_zero_and_one(given: float, kept: float) -> None:
    assert answer(confidence=given).confidence == kept


@pytest.mark.parametrize(
    "changes",
    [
        {"text": " \n"},
        {"confidence": float("nan")},
        {"intent": "venta"},
        {"stage": "vip"},
        {"actions": [{"kind": "send_money", "product_ref": None}]},
        {"extra": True},
    ],
)
def test_anything_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        answer(**changes)


def test_an_action_without_a_product_may_leave_it_out() -> None:
    plain = answer().model_dump(mode="json")
    actions = [{"kind": "hand_over"}, {"kind": "send_payment_link", "product_ref": "P1"}]

    read = Answer.model_validate_json(json.dumps({**plain, "actions": actions}))

    assert [action.product_ref for action in read.actions] == [None, "P1"]


def test_a_lone_surrogate_in_the_json_is_refused() -> None:
    plain = answer().model_dump(mode="json")

    with pytest.raises(ValidationError):
        Answer.model_validate_json(json.dumps({**plain, "text": "hola \ud83d"}))
