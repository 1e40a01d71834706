"""How people write in bursts: seeded patterns of two to six messages within ten seconds."""

import math
import random
from dataclasses import dataclass

MEDIAN, NINETY_FIFTH = 1.2, 3.5
WITHIN = 10.0
SPREAD = math.log(NINETY_FIFTH / MEDIAN) / 1.645
"""Of the log-normal gaps; 1.645 is the normal distribution's own 95th percentile."""

BEGINNINGS = ("hola", "Buenas tardes", "hola! una pregunta", "Hola, qué tal?", "disculpa")
FRAGMENTS = (
    "vi el anuncio del reto",
    "me interesa el plan pero",
    "soy de Caracas",
    "una amiga me habló de ustedes y",
    "no sé si es para mí",
    "estoy empezando,",
)
WHOLE = (
    "¿Cuánto cuesta el plan?",
    "hacen envíos?",
    "cuánto dura el reto mensual",
    "Quiero empezar este lunes.",
    "se puede pagar con tarjeta?",
)
WHOLE_IN_BETWEEN, WHOLE_AT_THE_END = 0.35, 0.8
"""How many messages of a burst look complete although more come, and how many last ones do."""


@dataclass(frozen=True, slots=True)
class Burst:
    """The seconds between the messages, and what they say."""

    gaps: tuple[float, ...]
    texts: tuple[str, ...]


def bursts(count: int, seed: int) -> list[Burst]:
    """*count* patterns; the same for the same *seed*."""
    chance = random.Random(seed)
    return [_burst(chance) for _ in range(count)]


def _burst(chance: random.Random) -> Burst:
    gaps = _gaps(chance)
    texts = [_text(chance, number, len(gaps)) for number in range(len(gaps) + 1)]
    return Burst(gaps, tuple(texts))


def _gaps(chance: random.Random) -> tuple[float, ...]:
    while True:
        count = chance.randint(1, 5)
        gaps = tuple(chance.lognormvariate(math.log(MEDIAN), SPREAD) for _ in range(count))
        if sum(gaps) <= WITHIN:
            return gaps


def _text(chance: random.Random, number: int, last: int) -> str:
    share = WHOLE_AT_THE_END if number == last else WHOLE_IN_BETWEEN
    if chance.random() < share:
        return chance.choice(WHOLE)
    return chance.choice(BEGINNINGS if number == 0 else FRAGMENTS)
