"""What a reply has cost, where the prices are known."""

from typing import Any

import pytest

from bot.llm_settings import Target
from bot.prices import cost

MAIN = Target(name="main", model="m", input_price=2.5, output_price=10)
EURO = Target(name="euro", model="e", input_price=1, output_price=4, currency="EUR")
FREE = Target(name="free", model="f")


def _request(target: str, **tokens: int) -> dict[str, Any]:
    return {"target": target, "model": "m", **tokens}


@pytest.mark.parametrize(
    ("requests", "told"),
    [
        ([_request("main", **{"in": 2000, "out": 100})], "0.0060 USD"),
        ([_request("main", **{"in": 3, "out": 0})], "0.0000075 USD"),
        ([_request("main", **{"in": 2_000_000, "out": 0})], "5.00 USD"),
        ([_request("main", **{"in": 400, "out": 0})] * 2, "0.0020 USD"),
        (
            [_request("main", **{"in": 400, "out": 0}), _request("euro", **{"in": 1000, "out": 0})],
            "0.0010 USD + 0.0010 EUR",
        ),
        ([_request("offline", tokens=0)], "0"),
        ([_request("main", tokens=2100)], "unknown"),
        ([_request("free", **{"in": 1, "out": 1})], "unknown"),
        ([_request("gone", **{"in": 1, "out": 1})], "unknown"),
        ([_request("main", **{"in": 1, "out": 1}), _request("free", tokens=1)], "unknown"),
    ],
)
def test_a_cost_is_told_or_unknown(requests: list[dict[str, Any]], told: str) -> None:
    assert cost(requests, (MAIN, EURO, FREE)) == told
