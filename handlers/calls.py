"""Calls that nobody can take: one sentence, however often the phone rings."""

from handlers.language import language
from handlers.once import told_within
from handlers.prompts import Prompts
from models.text import visible
from models.values import Kind, Reply, Silence, Turn


class Calls:
    """Answers turns that hold nothing but calls; a call beside a text goes to the persona.

    *sentence* is what the operator wants said; empty is ours. A chat hears it once in *minutes*.
    """

    name = "calls"

    def __init__(self, prompts: Prompts, *, sentence: str, minutes: int) -> None:
        self._prompts = prompts
        self._sentence = sentence.strip()
        self._minutes = minutes

    def wants(self, turn: Turn) -> bool:
        wrote = any(visible(line.text).strip() for line in turn.messages)
        return not wrote and all(kind is Kind.CALL for kind in turn.kinds)

    async def answer(self, turn: Turn) -> Reply | Silence:
        text = self._sentence or self._prompts.say(language(turn)).missed_call
        if told_within(turn, text, self._minutes):
            return Silence(reason="told about calls already", handler=self.name)
        return Reply(parts=(text,), handler=self.name)
