"""Messages we cannot read: one kind sentence instead of a guess."""

from handlers.language import language
from handlers.once import told_last
from handlers.prompts import Phrases, Prompts
from models.text import visible
from models.values import Kind, Reply, Silence, Turn

BURST_MINUTES = 5
"""Pictures that come one by one, as an album does, are one burst."""

_UNKNOWN = {Kind.OTHER, Kind.VOTE, Kind.CALL}


class Media:
    """Answers turns without any readable text; text beside a picture goes to the persona."""

    name = "media"

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts

    def wants(self, turn: Turn) -> bool:
        return not any(visible(line.text).strip() for line in turn.messages)

    async def answer(self, turn: Turn) -> Reply | Silence:
        text = _sentence(turn, self._prompts.say(language(turn)))
        if told_last(turn, text, BURST_MINUTES):
            return Silence(reason="told so already in this burst", handler=self.name)
        return Reply(parts=(text,), handler=self.name)


def _sentence(turn: Turn, say: Phrases) -> str:
    kinds = set(turn.kinds)
    if kinds == {Kind.TEXT}:
        return say.nothing_readable
    return say.not_understood if kinds <= _UNKNOWN else say.not_text
