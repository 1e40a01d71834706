"""Messages we cannot read: one kind sentence instead of a guess."""

from handlers.language import language
from handlers.prompts import Prompts
from models.text import visible
from models.values import Kind, Reply, Turn


class Media:
    """Answers turns without any readable text; text beside a picture goes to the persona."""

    name = "media"

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts

    def wants(self, turn: Turn) -> bool:
        return not any(visible(line.text).strip() for line in turn.messages)

    async def answer(self, turn: Turn) -> Reply:
        only_text = all(kind is Kind.TEXT for kind in turn.kinds)
        say = self._prompts.say(language(turn))
        text = say.nothing_readable if only_text else say.not_text
        return Reply(parts=(text,), handler=self.name)
