"""What a customer asks of the built-in rules: read from words, told apart from refusals."""

import re

from models.text import words

_UNSURE = re.compile(
    r"\b(?:no se|i don ?t know) (?=(?:cual|como|donde|cuanto|que|which|how|what)\b)"
)
_ASKS_WITH_NO = re.compile(r"\bno (?=(?:me )?(?:tienes?|tienen|hay|ofrecen?|venden?|das|dan)\b)")
_REFUSES = re.compile(
    r"\b(?:no|nunca|jamas|tampoco|ni|not|never|cannot"
    r"|(?:don|can|won|didn|doesn|isn|haven|hasn|wouldn) ?t)\b"
)
_CLAUSE = re.compile(
    r"[.,;:!?¡¿\n]+|\b(?:pero|but)\b|(?=\b(?:cu[aá]nto|how much)\b)", re.IGNORECASE
)
_ASKS = re.compile(
    r"\b(?:cuanto|cual(?:es)?|how much|what"
    r"|que (?:precios?|planes|opciones|productos|servicios|programas|tienen|tienes|ofrecen|hay))\b"
)
# Complaints, and what is said once the money is paid.
_COMPLAINS = re.compile(
    r"\b(?:devol\w+|devuel\w+|reembols\w+|arrepent\w+|arrepient\w+|cancel\w+|reclam\w+|quejas?"
    r"|estaf\w+|pague|pagado|compre|comprado|cobraron|transferi|comprobante"
    r"|(?:hice|realice) (?:el|un|mi) pago|funciona mal|dejo de funcionar|error|caido|vencido"
    r"|problemas? con (?:\w+ )?(?:pago|link|enlace|compra|pedido)"
    r"|refund\w*|money back|paid|bought|charged|scam\w*|complain\w*|broken)\b"
)
_BUY = r"(?:compr(?:o|a|ar\w{0,3})|pag(?:o|a|ar\w{0,3})|(?:adquirir|contratar)\w{0,3}|inscribirme)"
_PURCHASE = re.compile(
    r"\b(?:(?:quiero|quisiera|deseo|necesito|como|donde|puedo|se puede|me gustaria|para) "
    rf"(?:lo |la |el |un |una |se )?{_BUY}|me (?:lo llevo|apunto|inscribo)|sign me up"
    r"|(?:want|like|need|ready|how|where) to (?:buy|pay|order)"
    r"|(?:can|could|do|may) i (?:buy|pay|order))\b"
    r"|\b(?:lo|la) quiero(?: (?:ya|comprar|pagar|por favor|porfa|gracias))*$"
)
_GIVE = (
    r"(?:(?:da|de|den|mand[ae]|manden|envi[ae]|envien|pas[ae]|pasen|compart[ae]|regal[ae])me"
    r"|me (?:das?|dan|mandas?|mandan|envias?|envian|pasas?|pasan|compartes?|regalas?)"
    r"|(?:pued|podr)\w+ (?:dar|mandar|enviar|pasar|compartir)(?:me)?"
    r"|quiero|quisiera|necesito|deseo|tienes?|tienen"
    r"|send(?: me)?|(?:give|get) me|you have|i (?:want|need|get))"
)
_ASKS_LINK = re.compile(rf"\b{_GIVE} (?:\w+ ){{0,3}}?(?:link|enlace)\b")
_PLACE = r"(?:instagram|facebook|tiktok|youtube|zoom|meet|grupo|video|pagina|web|ubicacion|mapa)"
_OTHER_LINK = re.compile(rf"\b(?:link|enlace) del? (?:\w+ )?{_PLACE}\b|\b{_PLACE} link\b")
_BARE = {
    "link", "enlace", "link pago", "enlace pago", "payment link", "comprar", "pagar", "buy", "pay",
}  # fmt: skip
_FILLER_WORDS = """
    a al de del el favor for gracias hola la lo me of para please por porfa the to tu un una y
"""
_FILLERS = frozenset(_FILLER_WORDS.split())


def declines(text: str) -> bool:
    """Whether *text* refuses, complains or has paid, so that nothing may be sold on it.

    "No sé cuál" and "¿no tienen …?" refuse nothing.
    """
    said = _UNSURE.sub(" ", words(text))
    if "?" in text:
        said = _ASKS_WITH_NO.sub(" ", said)
    return bool(_REFUSES.search(said) or _COMPLAINS.search(said))


def asked_beside(text: str) -> str:
    """What *text* asks beside a refusal, in `words`: "no soy de aquí, ¿cuánto cuesta?".

    Empty where it complains or has paid, or asks nothing.
    """
    clauses = map(words, _CLAUSE.split(text))
    rest = " ".join(clause for clause in clauses if not _REFUSES.search(clause))
    asks = "?" in text or _ASKS.search(rest)
    return rest if asks and not _COMPLAINS.search(words(text)) else ""


def buys(text: str, name: frozenset[str]) -> bool:
    """Whether *text* asks to pay or for the link to it; *name* are the words of the product named.

    A bare "link" or "pagar" does so only where a line says nothing else.
    """
    said = words(text)
    if _PURCHASE.search(said):
        return True
    if _ASKS_LINK.search(said) and not _OTHER_LINK.search(said):
        return True
    return any(_core(line, name) in _BARE for line in text.split("\n"))


def _core(line: str, name: frozenset[str]) -> str:
    return " ".join(word for word in words(line).split() if word not in _FILLERS | name)
