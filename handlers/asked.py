"""What we asked last, which decides what a short answer to it means."""

import re

from models.text import words
from models.values import Sender, Turn

_QUESTION = re.compile(r"(?<![^.!?\n])[^.!?\n]*\?")


def last_line(turn: Turn) -> str:
    """Our last line before this turn, the owner's too; empty where we said nothing yet."""
    lines = (line.text for line in reversed(turn.history) if line.sender is not Sender.CUSTOMER)
    return next(lines, "")


def last_question(turn: Turn) -> str:
    """The last question of our last line, in `words`; empty where it asks nothing."""
    return words((_QUESTION.findall(last_line(turn)) or [""])[-1])
