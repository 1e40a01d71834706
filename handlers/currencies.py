"""Every common sign, code and name that makes a number beside it a price."""

import re

_CODES = ["usd", "eur", "gbp", "brl", "mxn", "cop", "ars", "clp", "uyu", "crc", "gtq", "usdt"]
"""Codes that nobody writes for anything else, so that their case does not matter."""

_CAPITALS = "VES|PEN|BOB|DOP|PYG|HNL|NIO|PAB|CAD|AUD|CHF|JPY"
"""Codes that are words in small letters ("ves") or too rare to read otherwise."""

_SYMBOLS = {
    "$": "", "💲": "", "€": "EUR", "£": "GBP", "₡": "CRC", "¢": "CRC", "₲": "PYG", "¥": "JPY",
    "₱": "PHP",
}  # fmt: skip
"""Signs that need no word's beginning: "desde$30"; an empty currency fits them all."""

_SIGNS = {
    **{code: code.upper() for code in _CODES},
    **{f"{code}$": code.upper() for code in _CODES},
    **{f"${code}": code.upper() for code in _CODES},
    "u$": "USD", "us$": "USD", "u$s": "USD", "u$d": "USD", "$us": "USD",
    "dls": "USD", "dlls": "USD", "dlrs": "USD",
    "mx$": "MXN", "col$": "COP", "ar$": "ARS", "cl$": "CLP", "$u": "UYU", "rd$": "DOP",
    "c$": "NIO CAD", "ca$": "CAD", "au$": "AUD", "r$": "BRL", "s/": "PEN", "s/.": "PEN",
    "bs": "VES BOB", "bs.": "VES BOB", "b/.": "PAB", "lps": "HNL", "lps.": "HNL",
}  # fmt: skip
"""What stands before or after a sum."""

_NAMES = {
    "dolar": "USD", "dolares": "USD", "dollar": "USD", "dollars": "USD", "us dollar": "USD",
    "us dollars": "USD", "bucks": "USD", "euro": "EUR", "euros": "EUR", "soles": "PEN",
    "reales": "BRL", "bolivares": "VES", "bolivianos": "BOB", "colones": "CRC",
    "quetzales": "GTQ", "lempiras": "HNL", "cordobas": "NIO", "balboas": "PAB",
    "guaranies": "PYG", "peso": "MXN COP ARS CLP UYU DOP", "pesos": "MXN COP ARS CLP UYU DOP",
}  # fmt: skip
"""Names that stand after a sum; pounds are left out, because people lose them too."""

_LEADING = {"Q": "GTQ", "Q.": "GTQ", "Gs": "PYG", "Gs.": "PYG"}
"""What stands before a sum alone, and as it is here: "q 30" is "que 30", "30 gs" are grams."""

_WORDS = _SYMBOLS | _SIGNS | _NAMES


def _either(*tables: dict[str, str]) -> str:
    listed = sorted((word for table in tables for word in table), key=len, reverse=True)
    return "|".join((*map(re.escape, listed), f"(?-i:{_CAPITALS})"))


_SYMBOL = "|".join(map(re.escape, _SYMBOLS))
_CAPITAL = "|".join(map(re.escape, _LEADING))

BEFORE = rf"(?:(?<!\w)(?:{_either(_SIGNS)}|(?-i:{_CAPITAL}))|{_SYMBOL})"
"""A pattern of what makes a price of the number after it; for text without accents."""

_LOAD = r"\ de\ \d+(?:[.,]\d+)?\s?(?:kg|kilos|lbs?|libras)\b"
"""Behind the weights that are "pesos" too."""

AFTER = rf"(?:{_either(_SIGNS, _NAMES)}|{_SYMBOL})(?!\w|{_LOAD})"
"""A pattern of what makes a price of the number before it; for text without accents."""


def currency(sign: str) -> str:
    """The codes that *sign* may stand for, blanks between; empty: any."""
    return _LEADING.get(sign, _WORDS.get(sign.casefold(), sign))
