"""Discounts are the owner's to give: this module finds those in a text that nobody gave."""

import re

from handlers.numerals import WORDS

_SHARE = rf"(?:(?<![\d.,]) \d+(?:[.,]\d+)? | {WORDS})"
_PERCENT = r"\s?(?: % | (?:por\s?ciento|per\s?cent)\b )"
_BODY = (
    r"(?:grasa|peso|masa|cintura|tiempo|energia|calorias|k?cal|azucar(?:es)?|sal|sodio|harinas?"
    r"|carbohidratos|carbs|carga|esfuerzo|intensidad|volumen|repeticiones|series|estres"
    r"|riesgo|lesion(?:es)?|fatiga|descanso|fatigue|risk"
    r"|dolor|hambre|ansiedad|body|fat|weight|time|energy|calories|sugar|salt|load|effort"
    r"|intensity|reps|stress|pain)\b"
)
_NO_MONEY = rf"(?! \s+ (?:(?:de|del|of)\s+)? (?:(?:tu|su|la|las|el|los|your|the)\s+)? {_BODY} )"
"""Weight, sugar and time are lost and saved too."""
_DISCOUNT = re.compile(
    rf"""
      (?P<first>{_SHARE}) {_PERCENT} \s* (?:de\s+|mas\s+)?
      (?: descuento | dcto | dto | rebaja | menos {_NO_MONEY} | barat | ahorro
        | off | discount | less {_NO_MONEY} | cheaper )
    | \b (?: descuento | dcto | rebaj[aeo]\w* | descont\w+ | descuent[aeo]\w*
           | discount | save | promo\w* | ahorr[aeo]\w* {_NO_MONEY} )
      [\s:=(-]+ (?:\w+\s+){{0,3}}
      (?!100\s?%\s\w) (?P<second>{_SHARE}) {_PERCENT} {_NO_MONEY}
    """,
    re.IGNORECASE | re.VERBOSE,
)
_REFUSED = re.compile(
    r"\b(?:no (?:te |le |les )?(?:puedo|podemos|tenemos|manejamos|ofrecemos|damos|doy|hacemos)"
    r"(?: (?:ofrecer|dar|hacer|aplicar)(?:te|le|les)?)?(?: (?:el|un|ese|ningun))?"
    r"|(?:can't|cannot|can not|don't|do not) (?:offer|give|have|do)(?: you)?(?: an?| the| that)?)"
    r"[ *]*$",
    re.IGNORECASE,
)
"""What makes "20% de descuento" behind it none: "no puedo ofrecerte un"."""

_ASKED = re.compile(r"[^.,;!¿\n]*\?")
_NEAR = 48


def unknown_discount(text: str, owner_text: str) -> bool:
    """Whether *text* offers a percentage off that the owner's own words do not name.

    Both are texts as `handlers.money.readable` leaves them.
    """
    offers = (found for found in _DISCOUNT.finditer(text) if not _is_refused(text, *found.span()))
    shares = (found["first"] or found["second"] for found in offers)
    return any(not _names(owner_text, share) for share in shares)


def _is_refused(text: str, start: int, end: int) -> bool:
    refused = _REFUSED.search(text[max(0, start - _NEAR) : start])
    return bool(refused) and not _ASKED.match(text, end)


def _names(owner_text: str, share: str) -> bool:
    written = rf"(?<![\d.,\w]) {re.escape(share)} {_PERCENT}"
    return bool(re.search(written, owner_text, re.IGNORECASE | re.VERBOSE))
