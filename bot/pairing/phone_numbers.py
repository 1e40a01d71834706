"""Telephone numbers as people write them, and as phones copy them."""

import re

from models.text import visible

_DIGITS = re.compile(r"[1-9][0-9]{6,14}")
_BETWEEN = re.compile("[\\s().\\-/+\u2010-\u2015\u2212]")
_AT_HOME = re.compile(r"(?<=\d)\s*\(\s*0\s*\)")
"""After a country code, the 0 that is dialled within the country only: ``+44 (0)20`` is 4420."""


def digits_of(written: str) -> str | None:
    """The digits, country code first and no 0 before it, or None where it is no such number."""
    said = _AT_HOME.sub("", visible(written))
    digits = _BETWEEN.sub("", said).removeprefix("00")
    return digits if _DIGITS.fullmatch(digits) else None
