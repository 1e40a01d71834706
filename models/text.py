"""Text from outside, made safe: for the stores, for a reader's eyes, and for a given room."""

import re
import unicodedata

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200c"
    "\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_EMOJI_GLUE = re.compile("[\u200d\ufe00-\ufe0f]")
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_BLANKS = re.compile(r"[^\S\n]+")
_ACCENT = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
_WORD = re.compile(r"[^\W_]+")


def clean(text: str) -> str:
    """The same text as every store can keep it: no NUL, no lone surrogate; idempotent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\0", "")


def visible(text: str) -> str:
    """What a reader would see: composed, without invisible, control and direction marks.

    Joiners and variation selectors stay, because emoji are made with them.
    """
    lines = _LINE_ENDS.sub("\n", clean(text))
    return _INVISIBLE.sub("", unicodedata.normalize("NFC", lines))


def bare(text: str) -> str:
    """*text* without any disguise, for checks only: compatibility forms folded, glue removed."""
    return unicodedata.normalize("NFKC", _EMOJI_GLUE.sub("", visible(text)))


def words(text: str) -> str:
    """Lower-case words without accents or punctuation, one blank between: for exact matches."""
    folded = unicodedata.normalize("NFKD", bare(text).casefold())
    return " ".join(_WORD.findall(_ACCENT.sub("", folded)))


def one_line(text: str, most: int) -> str:
    """At most *most* characters of *text* in a single line."""
    return cut(" ".join(visible(text).split()), most)


def cut(text: str, most: int) -> str:
    """At most *most* characters, ended at a sentence or a word where one is near."""
    if len(text) <= most:
        return text
    head = text[: most - 1]
    for end in (". ", ".\n", "\n", "! ", "? "):
        if (place := head.rfind(end)) > most // 2:
            return head[: place + 1].rstrip()
    place = head.rfind(" ")
    return (head[:place] if place > most // 2 else head).rstrip() + "…"


def squeeze(text: str) -> str:
    """Single blanks, at most one empty line in a row, nothing at the ends."""
    if "\n" not in text:
        return " ".join(text.split())
    lines = (line.strip() for line in _BLANKS.sub(" ", text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
