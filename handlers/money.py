"""Prices are the catalogue's to name: this module finds sums in a text that it does not know."""

import re
from collections.abc import Iterator, Sequence, Set
from decimal import Decimal

from handlers.currencies import AFTER, BEFORE, currency
from handlers.numerals import FIGURES, WORDS, amount
from models.text import bare
from models.values import ProductCard

Sum = tuple[Decimal | str, str]
"""An amount, as a number or as the words that spell it, and its currencies (empty: any)."""

_ACCENTS = str.maketrans("áéíóúüÁÉÍÓÚÜ", "aeiouuAEIOUU")
_MARK = re.compile(r"(?<!\d)[*_~`]+|[*_~`]+(?!\d)")
"""What WhatsApp shows as bold, italic, struck out or fixed width, not "4*5"."""

_NUMBER = re.compile(FIGURES, re.IGNORECASE | re.VERBOSE)
_BEFORE = re.compile(rf"({BEFORE})[\s:=()\[\]]*$", re.IGNORECASE)
_AFTER = re.compile(
    rf"\)?\s*(?:de\s+)?({AFTER})|\s*[(\[]\s*({AFTER})\s*[)\]]",
    re.IGNORECASE,
)
_SPELLED = re.compile(
    rf"(?<!\d\ ) (?!un\ peso\b) ({WORDS}) \s+ (?:de\s+)? ({AFTER})",
    re.IGNORECASE | re.VERBOSE,
)
_ALONE = re.compile(
    rf"(?!un[oa]?\b|one\b) ({WORDS}) (?= \s* (?: $ | [.,;!?)\n] | (?:al|por|cada|y|mensual)\b ) )",
    re.IGNORECASE | re.VERBOSE,
)
_SPOKEN = re.compile(
    r"""
    \b(?: cuestan? | costaria | valen? | (?:salen?|saldria)\ (?:en|a) | te\ queda(?:ria)?\ en
        | (?:te|se)\ l[oa]s?\ (?:puedo\ |podemos\ )? (?:dej(?:o|ar|amos)|doy|dar|damos)
          \ (?:en|a|por)
        | (?:te|les?)\ cobr(?:o|amos) | cobramos | cuotas\ de | rebajad[oa]s?\ a
        | oferta\s*: | pagas | inviertes
        | por\ solo | a\ solo | costs? (?:\ you)?
        | (?:precio|costo|valor(?!(?:es)?\ (?:caloric|nutricion|energetic))
            |tarifa|inversion|price|cost|fee)s? (?:\ \w+)?
          \ (?:es|seria|is) (?:\ de)?
        | precio (?:\ \w+)? \ de (?:\ de)?
        | (?:precio|costo|valor(?!(?:es)?\ (?:caloric|nutricion|energetic))
            |tarifa|inversion|total(?!\ de\ (?:pasos|repeticiones|calorias|series|dias|sesiones))
            |price|cost|fee)s? (?:\ \w+){0,4}?
          \s*[:=→–—-]
        | precio | price )
    [\s:=→–—•"'«“(\[-]*
    (?: (?:solo|unos|apenas|desde|only|just|about|from)\ | \d[\d.,]*\ )?
    $""",
    re.IGNORECASE | re.VERBOSE,
)
_COUNTED = re.compile(
    r"""
    \s* (?: % | :\d\d | x\d | /\d\d?/\d
          | (?: por\ ?ciento | dias? | semanas? | mes(?:es)? | a[nñ]os? | horas? | h | hs | hrs?
              | min(?:uto)?s? | seg(?:undo)?s? | [ap]\.?m | kilos? | kg | gr? | gramos? | libras
              | lb | km | m | cm | kilometros? | metros? | millas? | cuadras? | pasos? | personas?
              | vez | veces | clases? | sesion(?:es)? | planes | productos? | cupos? | lugares
              | ejercicios? | comidas? | recetas? | repeticiones | series | k?cal | calorias?
              | cuotas? | pagos? | partes? | mensajes? | clics? | alumnos | sola\ vez | de\ cada
              | rondas? | vueltas? | rutinas? | consultas? | revisiones | llamadas? | consejos?
              | descansos? | entrenos? | entrenamientos? | razones | opciones | puntos
              | days? | weeks? | months? | years? | hours? | minutes?
              | blocks? | people | times | class(?:es)? | sessions? | meals? | steps? )\b )
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""What a number counts that is no price: "cuesta 30 minutos al día"."""

_QUARTER = re.compile(r"Q(?:[1-4]|10)")
"""A part of the year, and a coenzyme: no quetzales."""

_FIRST_ITEM = re.compile(r"1[.)\u20e3-]")
"""What a list begins with: "El precio es:\\n1. Plan, 45 USD"."""

_NEAR = 48
"""How far before a number the words that make it a price are looked for."""

_CLAUSE = re.compile(r"[.,;!?()]+(?:\s|$)|\n")
_FORBIDS = re.compile(r"\b(?:no|nunca|jamas|ni|minimo|never|not|don'?t|minimum)\b", re.IGNORECASE)


def price_text(product: ProductCard) -> str:
    """The price as customers and models read it: ``98.00 USD``."""
    return f"{product.price:.2f} {product.currency}"


def readable(text: str) -> str:
    """*text* (already `models.text.bare`) as prices are looked for: no accents, no bold."""
    return _MARK.sub("", text.translate(_ACCENTS))


def sums(text: str) -> frozenset[Sum]:
    """The sums named in *text*, which is `readable`."""
    return frozenset((*_in_figures(text), *_in_words(text)))


def permitted_sums(rules: str) -> frozenset[Sum]:
    """The sums in an owner's *rules*, but none of a clause like "nunca bajes de 40 USD"."""
    clauses = (clause for clause in _CLAUSE.split(rules) if not _FORBIDS.search(clause))
    return frozenset().union(*map(sums, clauses))


def unknown_price(text: str, products: Sequence[ProductCard], *, told: Set[Sum]) -> bool:
    """Whether *text* names a sum that is no product's price and not *told* by the owner."""
    known = {(product.price, product.currency.upper()) for product in products} | told
    named = (*sums(text), *_behind_names(text, products))
    return any(not _is_known(*each, known) for each in named)


def _in_figures(text: str) -> Iterator[Sum]:
    taken = 0
    for found in _NUMBER.finditer(text):
        start, end = found.span()
        before, after = _sign_before(text, start, end, taken), _AFTER.match(text, end)
        if after and "\n" not in after.group():
            taken = after.end()
        codes = {currency(_sign(beside)) for beside in (before, after) if beside}
        if codes or _is_spoken(text, start, end):
            yield amount(found.group()), "/".join(sorted(codes - {""}))


def _in_words(text: str) -> Iterator[Sum]:
    for found in _SPELLED.finditer(text):
        yield found[1].casefold(), currency(found[2])
    for found in _ALONE.finditer(text):
        if _is_spoken(text, *found.span()):
            yield found[1].casefold(), ""


def _behind_names(text: str, products: Sequence[ProductCard]) -> Iterator[Sum]:
    """Numbers that stand alone behind a product's name, as its price would: "Reto: 30"."""
    names = "|".join(filter(None, (re.escape(readable(bare(p.name)).strip()) for p in products)))
    if names:
        priced = rf"(?:{names}) \s*[:=→·–—-]\s* ({FIGURES}) (?=\s*(?:$|[.,;!?)\n]))"
        for found in re.finditer(priced, text, re.IGNORECASE | re.VERBOSE):
            yield amount(found[1]), ""


def _sign(found: re.Match[str]) -> str:
    sign: str = next(filter(None, found.groups()))
    return sign


def _sign_before(text: str, start: int, end: int, taken: int) -> re.Match[str] | None:
    """The sign before a number, unless it is another's: "45 USD (30 días)", "45 USD\\n2. Reto"."""
    sign = _BEFORE.search(text, max(0, start - _NEAR), start)
    if sign is None or _QUARTER.fullmatch(text, start - 1, end):
        return None
    if sign.start() >= taken:
        return sign
    apart = text[sign.end(1) : start].strip(" ") or _COUNTED.match(text, end)
    return None if apart else sign


def _is_spoken(text: str, start: int, end: int) -> bool:
    """Whether words alone make the number a price: "te lo dejo en 60", not "cuesta 3 meses"."""
    near = text[max(0, start - _NEAR) : start]
    listed = near.rstrip(" ").endswith("\n") and _FIRST_ITEM.match(text, start)
    return bool(_SPOKEN.search(near)) and not (listed or _COUNTED.match(text, end))


def _is_known(amount: Decimal | str, currencies: str, known: Set[Sum]) -> bool:
    """Whether each currency named beside *amount* fits one known price of that amount."""
    asked = [set(either.split()) for either in currencies.split("/") if either]
    return (
        any(
            amount == price and all(not code or code in either for either in asked)
            for price, code in known
        )
        or (amount, currencies) in known
    )
