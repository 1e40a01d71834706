"""Links are ours to write: this module finds and removes everybody else's."""

import re

_SURE = (
    "com|net|org|info|biz|io|app|dev|shop|store|online|site|xyz|link|page|ly|gl|gg|cc|co|club|tk|ml"
)
_UNSURE = (
    "me|to|tv|us|uk|eu|es|mx|ar|cl|pe|ve|ec|uy|py|bo|br|do|cr|pa|gt|hn|sv|ni|pr|ru|cn|ai|pro|gratis"
)
"""Endings that are also words: after a full stop without a blank they start with a capital."""

_HOST = r"(?:\w(?:[\w-]{0,61}\w)?\.){1,8}"
_REST = r"[^\s<>()\[\]]*"
_LINK = re.compile(
    rf"""
      (?:\b[a-z][a-z0-9+.-]{{1,12}}:)?//{_REST}
    | \bwww\d?\.{_REST}
    | [\w.+-]{{1,64}}@{_HOST}\w{{2,}}{_REST}
    | \b{_HOST}(?-i:[a-z]{{2,}}|[A-Z]{{2,}})(?::\d+)?/{_REST}
    | \b\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?::\d+)?(?:/{_REST})?
    | \b{_HOST}(?:{_SURE}|(?-i:{_UNSURE}|{_UNSURE.upper()}))\b(?!\.?\w)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_HINT = re.compile(r"//|@|\.[^\W\d]|\d\.\d+\.\d")
_LEFTOVER = re.compile(r"\[([^\]]*)\]\(\s*\)|<\s*>|\(\s*\)|\[\s*\]")
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")


def mails(text: str) -> frozenset[str]:
    """The mail addresses in *text*, lower-case."""
    return frozenset(found.casefold() for found in _MAIL.findall(text))


def without_links(text: str, *, allowed_mails: frozenset[str] = frozenset()) -> str:
    """*text* without anything a phone would make a link of, except the *allowed_mails*."""

    def kept(found: re.Match[str]) -> str:
        whole = found.group()
        return whole if whole.rstrip(".,;:!?").casefold() in allowed_mails else ""

    if not _HINT.search(text):
        return text
    while (stripped := _LINK.sub(kept, text)) != text:
        text = _LEFTOVER.sub(r"\1", stripped)
    return text
