"""What is kept of an answer that is not quite one."""

import json

import pytest

from bot.llm.reading import salvaged
from tests.handlers.making import answer, link_action


@pytest.mark.parametrize(
    ("beside", "kinds"),
    [
        ({"kind": "hand_over"}, ["hand_over", "send_payment_link"]),
        ({"kind": "hand_over", "reason": "enfado"}, ["hand_over", "send_payment_link"]),
        ({"kind": "send_money", "product_ref": "P1"}, ["send_payment_link"]),
        ({"kind": "hand_over", "product_ref": 7}, ["send_payment_link"]),
        ("hand_over", ["send_payment_link"]),
    ],
)
def test_a_payment_link_is_not_lost_with_the_action_beside_it(
    beside: object, kinds: list[str]
) -> None:
    whole = answer("Claro").model_dump(mode="json")
    whole.update(mood="alegre", actions=[beside, link_action("P2")])

    read = salvaged(json.dumps(whole))

    assert read is not None
    assert [action.kind for action in read.actions] == kinds
    assert read.actions[-1].product_ref == "P2"


@pytest.mark.parametrize("actions", [None, "send_payment_link", {"kind": "hand_over"}, 3])
def test_actions_that_are_no_list_are_none(actions: object) -> None:
    whole = {**answer("Claro").model_dump(mode="json"), "actions": actions}

    read = salvaged(json.dumps(whole))

    assert read is not None
    assert read.actions == []
