"""The whole HTML document around whatever a public page shows, and the policy it lives under."""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from bot.web.markup import NOTHING, Html, joined, markup
from bot.web.pairing_words import Words

_FOLDER = Path(__file__).with_name("page")


def read(name: str) -> Html:
    """A file of ours."""
    return Html((_FOLDER / name).read_text(encoding="utf-8"))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_PAGE, _STYLE, _SCRIPT = read("page.html"), read("page.css"), read("page.js")
_MARK, _TROUBLE = read("mark.svg"), read("trouble.svg")
_REFRESH = Html('<meta http-equiv="refresh" content="5">')
_REFRESH_BY_HAND = Html(f"<noscript>{_REFRESH}</noscript>")

POLICY = "; ".join(
    (
        *("default-src 'none'", f"style-src {_hash(_STYLE)}", f"script-src {_hash(_SCRIPT)}"),
        *("connect-src 'self'", "img-src data:", "form-action 'self'"),
        *("base-uri 'none'", "frame-ancestors 'none'"),
    )
)
"""Our one style and our one script by what they are, and nothing from anywhere else."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One step: *key* changes when all of it does, *said* is its title, *over* the last one."""

    key: str
    said: str
    html: Html
    over: bool = False


def page(words: Words, shown: Shown, name: str, *, minutes: int, events: str = "") -> str:
    """A company's step. *events* is where it is followed; *minutes* are left to the link."""
    return markup(
        _PAGE,
        **_common(words, shown),
        title=f"{shown.said} · {words.say('page', 'title', name=name)}",
        brand=words.say("page", "brand"),
        name=name,
        events=events,
        refresh=_REFRESH_BY_HAND if events and not shown.over else NOTHING,
        footer="" if shown.over else words.say("page", "link", minutes=minutes),
    )


def notice(words: Words, section: str, *, tries_again: bool = False, **values: object) -> str:
    """A page that belongs to no company: a dead link, too many visits, a store that is away."""
    said, lead = words.say(section, "title"), words.say(section, "lead", **values)
    text = markup("<h1>$said</h1>\n<p>$lead</p>", said=said, lead=lead)
    return markup(
        _PAGE,
        **_common(words, Shown(section, said, joined([_TROUBLE, text]))),
        title=said,
        brand="",
        name="LYROX",
        events="",
        refresh=_REFRESH if tries_again else NOTHING,
        footer="",
    )


def _common(words: Words, shown: Shown) -> dict[str, object]:
    return {
        "language": words.language,
        "style": _STYLE,
        "script": _SCRIPT,
        "mark": _MARK,
        "key": shown.key,
        "step": shown.html,
        "lost": words.say("page", "lost"),
    }
