"""What language models cost, by the prices that stand in the configuration."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from bot.llm.offline import NAME as OFFLINE
from bot.llm_settings import Target

_MILLION = Decimal(1_000_000)


def cost(requests: Sequence[Mapping[str, Any]], targets: Iterable[Target]) -> str:
    """Such as ``0.0123 USD``, or ``unknown`` where a price is missing or a request's tokens are.

    *requests* are a turn's ``asked``: ``target``, and ``in`` and ``out`` where they are known.
    """
    prices = {target.name: target for target in targets}
    sums: dict[str, Decimal] = {}
    for request in requests:
        if request["target"] == OFFLINE:
            continue
        priced = _priced(request, prices.get(request["target"]))
        if priced is None:
            return "unknown"
        currency, amount = priced
        sums[currency] = sums.get(currency, Decimal(0)) + amount
    return " + ".join(f"{_plain(amount)} {currency}" for currency, amount in sums.items()) or "0"


def _priced(request: Mapping[str, Any], target: Target | None) -> tuple[str, Decimal] | None:
    if target is None or target.input_price is None or target.output_price is None:
        return None
    if "in" not in request:
        return None
    prices = (Decimal(str(target.input_price)), Decimal(str(target.output_price)))
    read, wrote = prices[0] * request["in"], prices[1] * request["out"]
    return target.currency, (read + wrote) / _MILLION


def _plain(amount: Decimal) -> str:
    """Two significant digits at least, and never an exponent."""
    digits = max(2, 1 - amount.adjusted()) if amount else 2
    return f"{amount:.{digits}f}"
