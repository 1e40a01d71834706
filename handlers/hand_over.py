"""A customer who asks for a human gets one, without an argument."""

import re

from handlers.asked import last_question
from handlers.language import language
from handlers.prompts import Prompts
from models.text import words
from models.values import Reply, Turn

_READ_CHARACTERS = 2_000

_PERSON = (
    r"(?:(?:una |alguna |otra |la )?persona(?: real| de verdad| humana)?"
    r"|(?:un |el |algun )?(?:humano|ser humano|agente|asesor|representante|encargado|operador"
    r"|vendedor|ejecutivo|responsable|dueno|jefe|gerente)(?: humano| real)?"
    r"|(?:una |la )?(?:asesora|representante|encargada|operadora|vendedora|duena|jefa|gerente)"
    r"|alguien(?: real| de verdad| humano| del equipo| de ustedes)?)"
)
_HUMAN = (
    r"(?:(?:a |the |an |some )?(?:real |actual |live |human )?"
    r"(?:human(?: being)?|person|agent|representative|rep|manager|owner|operator|somebody|someone))"
)
# "Someone of my family" is nobody of ours.
_OURS = r"\b(?!(?: mas| else)? (?:de|del|at|of|from) (?:mi|mis|my)\b)"
_WANT = (
    r"(?:quiero|quisiera|necesito|prefiero|deseo|puedo|puede|podria|puedes|pueden|me gustaria"
    r"|exijo|hay forma de|es posible|como hago para|dejame|dejenme) (?:\w+ ){0,3}?"
)
_TALK = (
    r"(?:hablar|chatear|conversar|comunicarme|contactarme|comunicar|contactar)"
    r"(?: ya| ahora| mejor| directamente)?"
)
_PUT_THROUGH = (
    r"(?:pasame|paseme|pasenme|comunicame|comuniqueme|conectame|transfiereme|ponme"
    r"|me (?:pasas|pasan|comunicas|comunican|conectas|pued\w+ (?:pasar|comunicar|conectar)))"
)
_SPANISH = re.compile(
    rf"(?:\b{_WANT}{_TALK}|^{_TALK}|\b{_PUT_THROUGH}) (?:con|a) {_PERSON}{_OURS}"
    rf"|\bque me (?:atienda|llame|escriba|conteste|responda) {_PERSON}{_OURS}"
    rf"|\b(?:me p(?:ue|o)d\w+ (?:atender|llamar|responder|contestar)"
    rf"|p(?:ue|o)d\w+ (?:atenderme|llamarme|responderme|contestarme)) {_PERSON}{_OURS}"
    r"|\bno quiero hablar con (?:un |una |el |la |este |esta )?"
    r"(?:bot|robot|maquina|ia|asistente)\b"
)
_ENGLISH = re.compile(
    r"\b(?:talk|speak|chat|connect me|transfer me|put me through|get me) (?:\w+ )?(?:to|with) "
    rf"{_HUMAN}{_OURS}|\b(?:want|need|get me|give me) (?:a |the )?(?:real |human |live )"
    r"(?:human|person|agent|being|representative)\b"
)
# Only where the sentence ends with it: "necesito un asesor", not "necesito un asesor fiscal".
_NEEDS = {
    "es": re.compile(
        r"\b(?:quiero|quisiera|necesito|prefiero|exijo) (?:a )?(?:un |una |otra )?"
        r"(?:humano|ser humano|persona|asesora?|agente|representante|operadora?)"
        r"(?: humano| humana| real| de verdad| ya| ahora| por favor| porfa)*$"
    ),
    "en": re.compile(
        r"(?<!\byou )\b(?:want|need|prefer|get me|give me) (?:an? |the )?(?:real |live |actual )?"
        r"(?:human|human being|person|agent|representative|rep|operator)(?: now| please)*$"
    ),
}
_ALONE = {
    "es": {
        "humano", "persona", "asesor", "asesora", "agente", "una persona", "un humano",
        "persona real", "una persona real", "un asesor", "una asesora", "un agente",
        "agente humano", "hablar con alguien", "atencion humana", "representante",
    },
    "en": {
        "human", "agent", "real person", "a human", "a person", "representative", "operator",
        "live agent", "human agent", "live person", "a live agent", "a real person",
    },
}  # fmt: skip
# What these answer where we asked for something else than a person: how many, who it was, or
# which trade.
_NUMBER = {"persona", "una persona", "a person"}
_ASKS_TRADE = re.compile(
    r"\b(?:profesion|oficio|ocupacion|cargo|puesto|trabajas?|trabajo|dedicas?|job|occupation|work"
    r"|profession|for a living|que haces|do you do|con quien (?:hablaste|hablabas)"
    r"|quien te (?:recomend|refir|atend|habl|mand|invit)\w*|who (?:referred|recommended|sent))\b"
)
_OFFERS_PERSON = re.compile(
    r"\b(?:hablar|hables|chatear|pas[eo]|pasar\w*|comunic\w+|conect\w+|talk|speak|chat|connect"
    r"|transfer|pass|put)\b.* (?:con|a(?= una? | alguien)|to|with) (?:\w+ ){0,2}?"
    r"(?:persona|humano|asesora?|agente|alguien|human|person|agent|someone|representative)\b"
    r"|\b(?:atiend\w+|atender\w*|llame|escriba) (?:\w+ ){0,2}?(?:persona|humano|asesora?|alguien)\b"
    r"|\b(?:en que|como) (?:\w+ ){0,2}ayud|\bhow (?:can|may) (?:i|we) help\b"
)
_REFUSED = re.compile(
    r"\b(?:no(?: quiero| necesito| deseo)?|(?:don t|dont|not)(?: want| need)?(?: to)?"
    r"|no hace falta que) $"
)
# "No" that is an answer of its own, or that asks: "No, quiero …", "¿No puedo …?".
_NO_OF_ITS_OWN = re.compile(
    r"\bno\b(?=\s*[^\w\s]|[ \t]*\n)"
    r"|\bno(?= (?:se |me )?(?:puedo|pued\w+|podr\w+|hay forma) [^.!?\n]*\?)",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.,;!?\n]+")
_POLITE = re.compile(r"\b(?:por favor|porfa|please|hola|gracias)\b")
_GENERIC = {"the", "los", "las", "tienda", "grupo", "centro", "studio", "academia", "la", "el"}


class HandOver:
    """Before the persona: passes the chat to a person and keeps silent for a while."""

    name = "hand_over"

    def __init__(self, prompts: Prompts, *, pause_minutes: int) -> None:
        self._prompts = prompts
        self._pause_minutes = pause_minutes

    def wants(self, turn: Turn) -> bool:
        return _language(turn) is not None

    async def answer(self, turn: Turn) -> Reply:
        return handed_over(
            self._prompts.say(_language(turn) or "es").handed_over,
            handler=self.name,
            pause_minutes=self._pause_minutes,
            reason="asked_for_a_person",
        )


def handed_over(text: str, *, handler: str, pause_minutes: int, reason: str) -> Reply:
    """A reply that gives the chat to a person: all hand-overs are recorded alike."""
    return Reply(
        parts=(text,),
        handler=handler,
        pause_minutes=pause_minutes,
        pause_reason="handover",
        event="handover_requested",
        event_data={"reason": reason},
    )


def _language(turn: Turn) -> str | None:
    text = _NO_OF_ITS_OWN.sub(" ", turn.text[:_READ_CHARACTERS])
    said = words(text)
    known = _alone(said, last_question(turn)) or _wished(said) or _needed(text)
    if known is not None:
        return known
    return language(turn) if _asks_for_owner(said, turn.company.name) else None


def _alone(said: str, asked: str) -> str | None:
    """The language of a bare "asesor", unless that answers what we *asked* last."""
    alone = " ".join(_POLITE.sub(" ", said).split())
    if (
        asked
        and not _OFFERS_PERSON.search(asked)
        and (alone in _NUMBER or _ASKS_TRADE.search(asked))
    ):
        return None
    return next((known for known, phrases in _ALONE.items() if alone in phrases), None)


def _wished(said: str) -> str | None:
    patterns = (("es", _SPANISH), ("en", _ENGLISH))
    return next((known for known, pattern in patterns if _wants(pattern, said)), None)


def _needed(text: str) -> str | None:
    sentences = [words(sentence) for sentence in _SENTENCE_END.split(text)]
    return next(
        (known for known, pattern in _NEEDS.items() for said in sentences if _wants(pattern, said)),
        None,
    )


def _wants(pattern: re.Pattern[str], said: str) -> bool:
    return any(not _REFUSED.search(said[: found.start()]) for found in pattern.finditer(said))


def _asks_for_owner(said: str, company: str) -> bool:
    """Whether the first name in the company's name is asked for: "quiero hablar con Emilio"."""
    first = next(iter(words(company).split()), "")
    if len(first) < 3 or first in _GENERIC or first not in said:
        return False
    return bool(
        re.search(
            rf"\b(?:hablar|comunicarme|chatear|pasame|comunicame) (?:\w+ )?con {first}\b"
            rf"|\b(?:talk|speak) (?:to|with) {first}\b",
            said,
        )
    )
