"""Links are ours to write: this module finds and removes everybody else's."""

import re

_SURE = (
    "com|net|org|edu|gov|info|biz|io|app|dev|shop|store|online|site|xyz|link|page|ly|gl|gg|cc|co|club"
    "|tk|ml|ga|cf|gq|ee|lat|ltd|inc|tech|web|mobi|asia|fr|pt|nl|ch|dk|fi|pl|cz|hu|hk|kr|jp|tw|vn|za|ws"
    "|fm|sh|st|gd|vc|nu|ms|mx|gt|hn|sv|py|cr|ru|uk"
)
_UNSURE = (
    "me|to|tv|us|eu|es|ar|cl|pe|ve|ec|uy|bo|br|do|pa|ni|pr|cn|ai|pro|gratis|de|it|im|re"
    "|coach|top|click|vip|health|fit|fitness|live|life|world|today|email|chat|work|works|group|plus"
    "|best|win|bet|help|support|blog|news|fun|cool|love|one|now|run|team|center|academy|school"
    "|training|care|clinic|style|beauty|diet|cafe|bar|menu|agency|studio|media|digital|global|market"
    "|sale|deals|gift|gifts|bio|wiki|cloud|host|space|website|tienda|moda|casa|fans|social|network"
    "|solutions|services|events|tips|guru|expert|energy|money|cash|pay|credit|loan|games|art|design"
)
"""Endings that are also words: after a full stop without a blank they start with a capital."""

_RARE = "la|so|by|in|is|my|am|at|be|se|si|no|su|al|va|id|as|an"
"""Endings that are words far more often: they count where no word follows."""

_GOES_ON = r"""
    (?: es\ (?:un[oa]?|el|la|los|las|lo|muy|mas|más|que|tu|mi|su|decir|posible|importante
              |f[aá]cil|mejor|verdad|as[ií]|gratis|normal|necesari[oa]|buen[oa]?|clave)
      | me\ (?:alegr|encant|gust|parec|cuent|dic|avis|pued|escrib|mand|confirm|llam)\w*
      | ve\ (?:a|al|con|por) | de\ \w+ | it\ (?:is|was|will) )\b
"""
"""How a sentence begins with an ending: "genial.es un plan" lacks a blank."""

_HOST = r"(?:\w(?:[\w-]{0,61}\w)?\.){1,8}"
_REST = r"[^\s<>()\[\]]*"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
"""A part of an address; "1.200.000.000" is a number."""

_COUNTED = rf"(?:\d{{1,2}}\.)+(?:es|me|de|do|it|ve|{_RARE})\b(?!/)"
"""An hour or an item of a list: "a las 8.am", "2.no"."""

_LINK = re.compile(
    rf"""
      (?:\b[a-z][a-z0-9+.-]{{1,12}}:)?//{_REST}
    | \bwww\d?\.{_REST}
    | [\w.+-]{{1,64}}@{_HOST}\w{{2,}}{_REST}
    | \b{_HOST}(?-i:[a-z]{{2,}}|[A-Z]{{2,}})(?::\d+)?/{_REST}
    | \b{_OCTET}(?:\.{_OCTET}){{3}}\b(?::\d+)?(?:/{_REST})?
    | (?<!\w)(?!{_COUNTED})@?{_HOST}(?:{_SURE}|(?-i:{_UNSURE}|{_UNSURE.upper()}))\b(?!\.?\w)
    | (?<!\w)(?!{_COUNTED})@?{_HOST}(?:{_UNSURE}|{_RARE})\b(?!\.?\w|[^\S\n]+\w)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_UNSPACED = re.compile(rf"(?<![\w.@/-])([^\W\d_]+[.])(?={_GOES_ON})", re.VERBOSE)
_HINT = re.compile(r"//|@|\.[^\W\d]|\d\.\d+\.\d")
_LEFTOVER = re.compile(r"\[([^\]]*)\]\(\s*\)|<\s*>|\(\s*\)|\[\s*\]")
_MAIL = re.compile(r"(?:[\w.+-]{1,64}|(?<!\w))@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")


def mails(text: str) -> frozenset[str]:
    """The mail addresses in *text*, and the handles with a full stop in them, lower-case."""
    return frozenset(found.casefold() for found in _MAIL.findall(text))


def without_links(text: str, *, allowed_mails: frozenset[str] = frozenset()) -> str:
    """*text* without anything a phone would make a link of, except the *allowed_mails*."""

    def kept(found: re.Match[str]) -> str:
        whole = found.group()
        return whole if whole.rstrip(".,;:!?").casefold() in allowed_mails else ""

    if not _HINT.search(text):
        return text
    text = _UNSPACED.sub(r"\1 ", text)
    while (stripped := _LINK.sub(kept, text)) != text:
        text = _LEFTOVER.sub(r"\1", stripped)
    return text
