"""Which of our two languages a customer writes: ``es``, or ``en`` where the words say so."""

from collections.abc import Iterable

from models.text import words
from models.values import Sender, Turn

_READ_CHARACTERS = 500
# Common words that the other language does not have.
_ENGLISH = """
    and are buy can cost could do does for good have hello help hey hi how i is it like morning much
    my need of offer order pay person please price products services sure talk thank thanks that
    the there they this to want what when where which with would yes you your
"""
_SPANISH = """
    ayuda bien buen buena buenas bueno buenos como comprar con cual cuando cuanto cuesta de del dia
    dias donde el en es esta este favor gracias hay hola la las lo los mas mi muy necesito noches
    para pero persona por porque precio puedo que quiero se si su tardes tengo tienen tu un una y yo
"""
_WORDS = {"en": frozenset(_ENGLISH.split()), "es": frozenset(_SPANISH.split())}


def language_of(text: str) -> str | None:
    """``es`` or ``en``; None when the words do not tell."""
    heard = words(text[:_READ_CHARACTERS]).split()
    english, spanish = (sum(word in _WORDS[name] for word in heard) for name in ("en", "es"))
    if english == spanish:
        return None
    return "en" if english > spanish else "es"


def language(turn: Turn) -> str:
    """What the customer writes in this turn, else wrote before it; Spanish where nothing tells."""
    return next(filter(None, map(language_of, _texts(turn))), "es")


def _texts(turn: Turn) -> Iterable[str]:
    yield turn.text
    yield from (line.text for line in reversed(turn.history) if line.sender is Sender.CUSTOMER)
