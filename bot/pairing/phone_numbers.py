"""Telephone numbers as people write them."""

import re

_DIGITS = re.compile(r"[1-9][0-9]{6,14}")
_BETWEEN = re.compile(r"[\s().\-/+]")


def digits_of(written: str) -> str | None:
    """The digits, country code first and no 0 before it, or None where it is no such number."""
    digits = _BETWEEN.sub("", written).removeprefix("00")
    return digits if _DIGITS.fullmatch(digits) else None
