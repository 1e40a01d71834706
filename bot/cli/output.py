"""How commands show things on a terminal."""

from collections.abc import Iterable, Sequence

from models.text import one_line

WIDEST = 60
"""The last column alone may be wider: a sentence, or something to copy."""


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Aligned columns; text from outside cannot move the cursor."""
    cells = [[*map(_cell, row[:-1]), _cell(row[-1], most=1000)] for row in rows]
    lines = [list(heads), *cells]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def count(number: int, noun: str) -> str:
    """``1 chat``, ``2 chats``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """About how long, in the two largest units."""
    left = round(seconds)
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        amount, left = divmod(left, size)
        if amount:
            parts.append(f"{amount} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _cell(value: object, *, most: int = WIDEST) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return one_line(str(value), most)
