"""What need not be said twice: whether the chat has just been told the same."""

from datetime import timedelta

from models.text import visible
from models.values import Line, Sender, Turn


def told_within(turn: Turn, text: str, minutes: float) -> bool:
    """Whether *text* was said at most so many minutes before the newest waiting message."""
    since = turn.messages[-1].at - timedelta(minutes=minutes)
    return any(line.at >= since for line in turn.history if _says(line, text))


def told_last(turn: Turn, text: str, minutes: float) -> bool:
    """The same, where the customer has written nothing readable since."""
    for line in reversed(turn.history):
        if _says(line, text):
            return told_within(turn, text, minutes)
        if line.sender is not Sender.CUSTOMER or visible(line.text).strip():
            return False
    return False


def _says(line: Line, text: str) -> bool:
    return line.sender is Sender.AGENT and line.text.strip() == text.strip()
