"""HTML put together so that nobody's words can become part of it."""

from collections.abc import Iterable
from html import escape
from string import Template


class Html(str):
    """Markup that is safe as it stands."""

    __slots__ = ()


NOTHING = Html()


def markup(template: str, /, **values: object) -> Html:
    """*template* with ``$name`` for each value; whatever is not `Html` is escaped."""
    safe = {name: _safe(value) for name, value in values.items()}
    return Html(Template(template).substitute(safe))


def joined(parts: Iterable[Html]) -> Html:
    """One after the other."""
    return Html("\n".join(part for part in parts if part))


def _safe(value: object) -> str:
    return value if isinstance(value, Html) else escape(str(value))
