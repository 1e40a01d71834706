"""A long reply as a person would send it: in a few bubbles, parted where a paragraph ends."""

import re

LONG_CHARACTERS = 400
"""A shorter reply is one bubble."""
SHORTEST_CHARACTERS = 80
"""A bubble is at least so long, or it stays with its neighbour."""

_BLANK_LINES = re.compile(r"\n[^\S\n]*\n\s*")


def bubbles(text: str, most: int) -> tuple[str, ...]:
    """*text* in at most *most* bubbles.

    Only blank lines part it, so no link, price or line of a list is ever cut, and what has none
    stays whole.
    """
    if most < 2 or len(text) <= LONG_CHARACTERS:
        return (text,)
    enough = max(SHORTEST_CHARACTERS, 4 * len(text) // (5 * most))
    said: list[str] = []
    for paragraph in _BLANK_LINES.split(text.strip()):
        if said and (len(said) == most or len(said[-1]) < enough):
            said[-1] = f"{said[-1]}\n\n{paragraph}"
        else:
            said.append(paragraph)
    if len(said) > 1 and len(said[-1]) < SHORTEST_CHARACTERS:
        last = said.pop()
        said[-1] = f"{said[-1]}\n\n{last}"
    return tuple(said)
