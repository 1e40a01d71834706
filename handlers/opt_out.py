"""Customers who want no more messages, and those who come back."""

import re
from collections.abc import Mapping

from handlers.asked import last_line, last_question
from handlers.language import language
from handlers.prompts import Prompts
from models.text import words
from models.values import Reply, Silence, Turn

_READ_CHARACTERS = 200

# Said around a stop without changing it: at its beginning, and anywhere.
_PREFACE = re.compile(
    r"^(?:(?:hola+|hi|hello|hey|buen[oa]s?(?: dias?| tardes| noches)?|amig[oa]s?"
    r"|no me interesa|no estoy interesad[oa]|(?:i m )?not interested"
    r"|(?:ya )?(?:te|le|les) (?:dije|pido|pedi|ruego) que|que) )+"
)
_COURTESY = re.compile(
    r"\b(?:por favor|porfa|porfavor|please|pls|(?:no )?(?:muchas |mil )?gracias"
    r"|(?:no )?(?:thanks|thank you)|ya|ok|okay|vale|listo|bueno|chao|chau|adios|bye)\b"
)
_REPEATED = re.compile(r"\b(\w+)(?: \1\b)+")

_MORE = r"(?: (?:mas|nunca|jamas|otra vez|de nuevo))*"
_NEVER = r"(?:no|nunca|jamas)(?: mas)?"
_MESSAGES = r"(?:mensajes?|publicidad|promociones|spam)"
_THEIRS = r"(?: mas)?(?: de ustedes| suyos)?"
_HERE = r"(?: por (?:aqui|aca|whatsapp|este medio)| a (?:este|mi) (?:numero|telefono|celular))?"
_WRITE = (
    r"(?:escrib(?:as?|an)|(?:contact|molest|fastidi)(?:es?|en)"
    rf"|(?:mand|envi)(?:es?|en)(?:{_MORE} (?:{_MESSAGES}|nada)| (?:nunca )?mas))"
)
_LEAVE_OFF = r"(?:(?:quiero que|puedes?|pueden) )?(?:deja|deje|dejes|dejen|dejar|para|paren) de"
_SPANISH = (
    r"alto|baja",
    r"(?:(?:quiero|quisiera|deseo) )?(?:darme|dame|deme|denme|dar) de baja",
    rf"{_NEVER}(?: me)? {_WRITE}{_MORE}{_HERE}",
    rf"no (?:quiero|deseo)(?: mas)? que me {_WRITE}{_MORE}{_HERE}",
    rf"{_NEVER} me vuelv(?:as?|an) a (?:escribir|contactar|molestar){_MORE}{_HERE}",
    rf"{_NEVER} vuelv(?:as?|an) a (?:escribir|contactar|molestar)me{_MORE}{_HERE}",
    rf"no me sig(?:as?|an) (?:escribiendo|contactando|molestando|mandando mensajes){_HERE}",
    rf"no (?:(?:quiero|deseo)(?: recibir)?(?: mas)?|mas) {_MESSAGES}{_THEIRS}{_HERE}",
    rf"{_LEAVE_OFF} (?:escribir|contactar|molestar)(?:me)?{_HERE}",
    rf"{_LEAVE_OFF} (?:mandar|enviar)me(?: mas)? mensajes{_HERE}",
    r"(?:quit|sac|saqu|borr|elimin)(?:a|e|en)me de (?:su|tu) lista",
    r"(?:deja|deje|dejen)me (?:en paz|tranquil[oa])",
)
_AGAIN = r"(?: (?:again|any ?more|ever))*"
_TEXT = r"(?:text|message|contact|bother|write(?: to)?) me"
_ENGLISH = (
    r"(?:i want to )?(?:unsubscribe|opt out)|(?:unsubscribe|opt) me(?: out)?",
    r"leave me alone|no more (?:messages|texts)|stop (?:messaging|texting|writing)",
    rf"(?:do not|don ?t|never)(?: ever)? {_TEXT}{_AGAIN}",
    rf"i (?:do not|don ?t) want you to {_TEXT}{_AGAIN}",
    rf"stop (?:texting|messaging|contacting|bothering|spamming|writing(?: to)?) me{_AGAIN}",
    r"stop sending(?: me)?(?: (?:any|more|these|your))* (?:messages|texts|spam)",
    rf"(?:do not|don ?t) send(?: me)?(?: (?:any|more|your))* (?:messages|texts){_AGAIN}",
    rf"(?:i )?(?:do not|don ?t) want(?: (?:to receive|any|more|your))* (?:messages|texts){_AGAIN}",
    r"(?:take|remove) me (?:off|from) (?:your|this) list",
)
_OF_BOTH = r"stop(?: all| it| now)?|stopall|quit|cancel"
_STOP = {
    "": re.compile(_OF_BOTH),  # What the customer writes otherwise tells the language.
    "es": re.compile("|".join(_SPANISH)),
    "en": re.compile("|".join(_ENGLISH)),
}
_CHOICES = {"alto", "baja", "cancel", "quit"}
# Where we name these words so, they are no choice of ours: "responde BAJA", "darte de baja".
_TOLD_TO_SAY = (
    r"\b(?:(?:escrib|respond|contest|envi|mand)\w*|di|reply|write|text|send)"
    r"(?: (?:con|with|la|the|palabra|word))* {word}\b|\bdar\w* de {word}\b"
)
# A question that "alto" and "baja" answer though it does not name them.
_ASKS_LEVEL = re.compile(
    r"\b(?:nivel(?:es)?|intensidad|energia|estres|presion|tension|motivacion|autoestima|calidad"
    r"|altura|estatura|contextura|dificultad|temperatura)\b"
)

_BACK = {
    "es": re.compile(
        r"alta\b.*|(?:quiero )?volver|volvi|reactivar|(?:quiero )?darme de alta|dame de alta"
        r"|quiero retomar(?: la conversacion)?|escribanme|escribeme"
    ),
    "en": re.compile(r"(?:start|unstop)\b.*|subscribe|opt in|i (?:am|m) back"),
}
_GREETS = {
    "es": re.compile(r"(?:hola+|buen(?:as|os|) ?(?:dias?|tardes|noches)?)\b.*"),
    "en": re.compile(r"(?:hi|hello|hey|good (?:morning|afternoon|evening))\b.*"),
}
_NEGATED = re.compile(r"\b(?:no|nunca|jamas|ni|not|don ?t|never|stop|deja|deje|dejen|baja)\b")


class OptOut:
    """First of all handlers: stop is confirmed once; then silence until the customer returns.

    Only a message that says this and nothing else counts, so that "no me escribas más tarde,
    escríbeme ahora" reaches the persona. Who writes ALTA, or greets us again, has come back.
    """

    name = "opt_out"

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts

    def wants(self, turn: Turn) -> bool:
        return turn.customer.opted_out or _stopped(turn) is not None

    async def answer(self, turn: Turn) -> Reply | Silence:
        if not turn.customer.opted_out:
            say = self._prompts.say(_stopped(turn) or language(turn))
            return self._reply(say.opted_out, "opted_out")
        back = _returned(turn)
        if back is None:
            return Silence(reason="the customer opted out", handler=self.name)
        return self._reply(self._prompts.say(back).opted_in, "opted_in")

    def _reply(self, text: str, event: str) -> Reply:
        out = event == "opted_out"
        return Reply(parts=(text,), handler=self.name, opt_out=out, event=event)


def asks_to_stop(text: str) -> bool:
    """Whether a message says that no more are wanted, and nothing else."""
    return _language(_STOP, _core(words(text[:_READ_CHARACTERS]))) is not None


def _stopped(turn: Turn) -> str | None:
    """The language of a stop in the last line that is more than thanks; empty for both."""
    last = next(filter(None, map(_core, reversed(_written(turn)))), "")
    if _is_choice(last, last_line(turn)) or _is_level(last, last_question(turn)):
        return None
    return _language(_STOP, last)


def _returned(turn: Turn) -> str | None:
    """The language in which some line asks for us again; None where the last one is a stop.

    A greeting asks for us where nothing is refused beside it.
    """
    lines = _written(turn)
    if _stopped(turn) is not None:
        return None
    tables = [_BACK] if any(map(_NEGATED.search, lines)) else [_BACK, _GREETS]
    found = (_language(table, _plain(said)) for table in tables for said in lines)
    return next(filter(None, found), None)


def _written(turn: Turn) -> list[str]:
    return [said for line in turn.messages if (said := words(line.text[:_READ_CHARACTERS]))]


def _core(said: str) -> str:
    """*said* without greeting and thanks, each word once: what is left of it may be a stop."""
    return _plain(_PREFACE.sub("", said))


def _plain(said: str) -> str:
    return _REPEATED.sub(r"\1", " ".join(_COURTESY.sub(" ", said).split()))


def _language(table: Mapping[str, re.Pattern[str]], said: str) -> str | None:
    return next((name for name, known in table.items() if known.fullmatch(said)), None)


def _is_choice(core: str, ours: str) -> bool:
    """Whether *core* is one of the answers that our last line asks for: "¿alta o baja?"."""
    if core not in _CHOICES or "?" not in ours:
        return False
    return core in re.sub(_TOLD_TO_SAY.format(word=core), " ", words(ours)).split()


def _is_level(core: str, asked: str) -> bool:
    return core in {"alto", "baja"} and bool(_ASKS_LEVEL.search(asked))
