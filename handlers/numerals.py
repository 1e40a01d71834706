"""How a chat writes numbers, in figures and in words."""

import re
from decimal import Decimal

FIGURES = r"""
    (?<!\d) \d+
    (?: [.,'’\ ] \d{3} (?!\d) )*
    (?: [.,] \d{1,2} (?!\d) )?
    (?: [^\S\n]* (?: mil(?!\s+gracias) | k | millon(?:es)? | thousand | million )\b
      | (?-i:MM?)\b )?
"""
"""A verbose pattern: "1.200,50", "45 mil", "2K"."""

_NUMERAL = r"""
    (?=[cdefhmnoqstuv])
    (?: un[oa]? | dos | tres | cuatro | cinco | seis | siete | ocho | nueve | diez
      | once | doce | trece | catorce | quince | dieci\w+ | veint\w+ | treinta | cuarenta
      | cincuenta | sesenta | setenta | ochenta | noventa | cien(?:to)?
      | (?:dos|tres|cuatro|seis|sete|ocho|nove)cient[oa]s
      | quinient[oa]s | mil | millon(?:es)?
      | one | two | three | four | five | six | seven | eight | nine | ten | eleven | twelve
      | (?:thir|four|fif|six|seven|eigh|nine)teen
      | twenty | thirty | forty | fifty | sixty | seventy | eighty | ninety
      | hundred | thousand | million )
"""

WORDS = rf"""
    \b {_NUMERAL} (?: [\ -] (?:y\ |and\ )? {_NUMERAL} ){{0,8}} \b
"""
"""A verbose pattern, for text without accents: "treinta y cinco", "one hundred and ten"."""

_SCALE = {
    "mil": 1_000, "k": 1_000, "thousand": 1_000, "millon": 1_000_000, "millones": 1_000_000,
    "million": 1_000_000, "m": 1_000_000, "mm": 1_000_000,
}  # fmt: skip


def amount(figures: str) -> Decimal:
    """What *figures*, found by that pattern, are worth."""
    digits = re.match(r"[\d.,'’ ]*\d", figures)
    number = digits.group() if digits else "0"
    scale = _SCALE.get(figures[len(number) :].strip().casefold(), 1)
    if re.search(r"[.,]\d{1,2}$", number):
        whole, cents = re.split(r"[.,](?=\d{1,2}$)", number)
    else:
        whole, cents = number, "0"
    return Decimal(f"{re.sub(r'[^0-9]', '', whole)}.{cents}") * scale
