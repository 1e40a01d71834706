"""Prices are the catalogue's to name: this module finds sums in a text that it does not know."""

import re
from collections.abc import Iterable, Iterator, Set
from decimal import Decimal

from models.values import ProductCard

_SIGNS = {
    "$": "", "us$": "USD", "u$s": "USD", "usd": "USD", "€": "EUR", "eur": "EUR", "£": "GBP",
    "gbp": "GBP", "s/": "PEN", "s/.": "PEN", "r$": "BRL", "brl": "BRL", "bs": "VES BOB",
    "bs.": "VES BOB", "mxn": "MXN", "mx$": "MXN", "cop": "COP", "ars": "ARS", "clp": "CLP",
    "uyu": "UYU", "crc": "CRC", "gtq": "GTQ", "usdt": "USDT",
}  # fmt: skip
"""Signs and codes that stand before or after a sum; an empty currency fits them all."""

_NAMES = {
    "dolar": "USD", "dolares": "USD", "dollar": "USD", "dollars": "USD", "bucks": "USD",
    "euro": "EUR", "euros": "EUR", "soles": "PEN", "reales": "BRL", "bolivares": "VES",
    "bolivianos": "BOB", "colones": "CRC", "quetzales": "GTQ", "lempiras": "HNL",
    "guaranies": "PYG", "peso": "MXN COP ARS CLP UYU DOP", "pesos": "MXN COP ARS CLP UYU DOP",
}  # fmt: skip
"""Names that stand after a sum; pounds are left out, because people lose them too."""

_CAPITALS = "VES|PEN|BOB|DOP|PYG|HNL|NIO|PAB|CAD|AUD|CHF|JPY"
"""Codes that are words in small letters ("ves") or too rare to read otherwise."""

_ACCENTS = str.maketrans("áéíóúüÁÉÍÓÚÜ", "aeiouuAEIOUU")


def _either(*tables: dict[str, str]) -> str:
    listed = sorted((word for table in tables for word in table), key=len, reverse=True)
    return "|".join((*map(re.escape, listed), f"(?-i:{_CAPITALS})"))


_NUMBER = re.compile(
    r"(?<!\d)\d+(?:[.,'’ ]\d{3}(?!\d))*(?:[.,]\d{1,2}(?!\d))?(?:\s*(?:mil|k|millones|millon)\b)?",
    re.IGNORECASE,
)
_BEFORE = re.compile(rf"(?<!\w)({_either(_SIGNS)})\s*$", re.IGNORECASE)
_AFTER = re.compile(rf"\s*(?:de\s+)?({_either(_SIGNS, _NAMES)})(?!\w)", re.IGNORECASE)
_SPOKEN = re.compile(
    r"\b(?:cuestan?|vale|valen|costaria|sale (?:en|a)|salen (?:en|a)|te l[oa]s? dejo (?:en|a)"
    r"|precio(?: \w+)? (?:es|de|seria)(?: de)?|por solo|a solo|costs?|price is)\s*:?\s*"
    r"(?:solo |unos |only )?$",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"\s*(?:%|dias?|semanas?|mes(?:es)?|horas?|min|kg|kilos|personas|veces|anos?|days?|weeks?)",
    re.IGNORECASE,
)
_NUMERAL = (
    r"(?:un|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|quince|veint\w*|treinta"
    r"|cuarenta|cincuenta|sesenta|setenta|ochenta|noventa|cien\w*|\w+cientos|mil|one|two|five|ten"
    r"|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand)"
)
_IN_WORDS = re.compile(
    rf"(?<!\d )\b{_NUMERAL}(?:[ -](?:y |and )?\w+)?\s+$",
    re.IGNORECASE,
)
_COIN = re.compile(r"\b(?:dolar(?:es)?|dollars?|euros?|pesos?|soles)\b", re.IGNORECASE)
_NEAR = 48
"""How far before a number the words that make it a price are looked for."""

_DISCOUNT = re.compile(
    r"(?<![\d.,])(?P<first>\d+(?:[.,]\d+)?)\s?%\s*(?:de\s+)?(?:descuento|dcto|rebaja|menos|off|discount)"
    r"|(?:descuento|rebaja|discount|promo\w*)\s+(?:\w+\s+){0,2}(?P<second>\d+(?:[.,]\d+)?)\s?%",
    re.IGNORECASE,
)
_SCALE = {"mil": 1000, "k": 1000, "millon": 1_000_000, "millones": 1_000_000}


def price_text(product: ProductCard) -> str:
    """The price as customers and models read it: ``98.00 USD``."""
    return f"{product.price:.2f} {product.currency}"


def without_accents(text: str) -> str:
    """*text* (already `models.text.bare`) as this module's functions read it."""
    return text.translate(_ACCENTS)


def sums(text: str) -> frozenset[tuple[Decimal, str]]:
    """The sums named in *text*, each with its currencies (empty: any)."""
    return frozenset(_sums(text))


def unknown_price(
    text: str, products: Iterable[ProductCard], *, described: frozenset[tuple[Decimal, str]]
) -> bool:
    """Whether *text* names a sum that is no product's price and not *described* with one."""
    known = {(product.price, product.currency.upper()) for product in products} | described
    return any(not _is_known(*named, known) for named in _sums(text)) or _in_words(text)


def unknown_discount(text: str, owner_text: str) -> bool:
    """Whether *text* offers a percentage off that the owner's own words do not name."""
    if "%" not in text:
        return False
    for found in _DISCOUNT.finditer(text):
        share = found["first"] or found["second"]
        if not re.search(rf"(?<![\d.,]){re.escape(share)}\s?%", owner_text):
            return True
    return False


def _sums(text: str) -> Iterator[tuple[Decimal, str]]:
    for found in _NUMBER.finditer(text):
        start, end = found.span()
        before = _BEFORE.search(text[max(0, start - _NEAR) : start])
        after = _AFTER.match(text, end)
        codes = {_currency(sign[1]) for sign in (before, after) if sign}
        if codes or _is_spoken(text, start, end):
            yield _amount(found.group()), "/".join(sorted(codes - {""}))


def _is_spoken(text: str, start: int, end: int) -> bool:
    """Whether words alone make the number a price: "te lo dejo en 60", not "cuesta 3 meses"."""
    near = text[max(0, start - _NEAR) : start]
    return bool(_SPOKEN.search(near)) and not _UNIT.match(text, end)


def _in_words(text: str) -> bool:
    """Whether a price is spelled out, where nobody can check it."""
    coins = (text[max(0, found.start() - _NEAR) : found.start()] for found in _COIN.finditer(text))
    return any(_IN_WORDS.search(near) for near in coins)


def _currency(sign: str) -> str:
    word = sign.casefold()
    return _SIGNS.get(word, _NAMES.get(word, sign))


def _is_known(amount: Decimal, currencies: str, known: Set[tuple[Decimal, str]]) -> bool:
    """Whether each currency named beside *amount* fits one known price of that amount."""
    asked = [set(either.split()) for either in currencies.split("/") if either]
    return (
        any(
            amount == price and all(not code or code in either for either in asked)
            for price, code in known
        )
        or (amount, currencies) in known
    )


def _amount(text: str) -> Decimal:
    digits = re.match(r"[\d.,'’ ]*\d", text)
    number = digits.group() if digits else "0"
    scale = _SCALE.get(text[len(number) :].strip(), 1)
    if re.search(r"[.,]\d{1,2}$", number):
        whole, cents = re.split(r"[.,](?=\d{1,2}$)", number)
    else:
        whole, cents = number, "0"
    return Decimal(f"{re.sub(r'[^0-9]', '', whole)}.{cents}") * scale
