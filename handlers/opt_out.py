"""Customers who want no more messages, and those who come back."""

from collections.abc import Mapping

from handlers.language import language
from handlers.prompts import Prompts
from models.text import words
from models.values import Reply, Silence, Turn

_READ_CHARACTERS = 200


def _listed(table: Mapping[str, str]) -> dict[str, str]:
    return {
        " ".join(phrase.split()): language
        for language, phrases in table.items()
        for phrase in phrases.split("|")
    }


_STOP = _listed(
    {
        "": "stop",  # Of both: what the customer writes otherwise decides.
        "es": """alto|baja|darme de baja|dame de baja|denme de baja|quiero darme de baja
        |dar de baja|no me escribas mas|no me escriban mas|no me escriba mas
        |ya no me escribas|ya no me escriban|ya no me escribas mas|ya no me escriban mas
        |deja de escribirme|dejen de escribirme|no me contactes mas|no me contacten mas
        |no me molestes mas|no me molesten mas|no quiero recibir mas mensajes
        |no quiero mas mensajes|no mas mensajes|ya no quiero recibir mensajes""",
        "en": """unsubscribe|opt out|stop texting me|stop messaging me|stop writing me
        |stop writing to me|do not contact me|don t contact me|do not text me|don t text me
        |no more messages|leave me alone""",
    }
)
_BACK = _listed(
    {
        "es": """alta|hola|buenas|buenos dias|buen dia|buenas tardes|buenas noches|volver
        |quiero volver|volvi|reactivar|darme de alta|dame de alta|quiero darme de alta
        |quiero retomar|quiero retomar la conversacion|escribanme|escribeme""",
        "en": "start|unstop|subscribe|opt in|hi|hello|i am back|i m back",
    }
)
_POLITE = {"por", "favor", "please", "porfa", "gracias", "ya"}


class OptOut:
    """First of all handlers: stop is confirmed once; then silence until the customer returns.

    Only a message that says this and nothing else counts, so that "no me escribas más tarde,
    escríbeme ahora" reaches the persona.
    """

    name = "opt_out"

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts

    def wants(self, turn: Turn) -> bool:
        return turn.customer.opted_out or _language(turn, _STOP) is not None

    async def answer(self, turn: Turn) -> Reply | Silence:
        if not turn.customer.opted_out:
            say = self._prompts.say(_language(turn, _STOP) or language(turn))
            return self._reply(say.opted_out, "opted_out")
        back = _language(turn, _BACK)
        if back is None:
            return Silence(reason="the customer opted out", handler=self.name)
        return self._reply(self._prompts.say(back).opted_in, "opted_in")

    def _reply(self, text: str, event: str) -> Reply:
        out = event == "opted_out"
        return Reply(parts=(text,), handler=self.name, opt_out=out, event=event)


def asks_to_stop(text: str) -> bool:
    """Whether a message says that no more are wanted, and nothing else."""
    return _known(words(text[:_READ_CHARACTERS]), _STOP) is not None


def _language(turn: Turn, known: Mapping[str, str]) -> str | None:
    """The language in which the last written message says one of the *known* things."""
    written = [said for line in turn.messages if (said := words(line.text[:_READ_CHARACTERS]))]
    return _known(written[-1], known) if written else None


def _known(said: str, known: Mapping[str, str]) -> str | None:
    core = " ".join(word for word in said.split() if word not in _POLITE)
    return known.get(said) or known.get(core)
