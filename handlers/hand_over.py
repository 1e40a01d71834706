"""A customer who asks for a human gets one, without an argument."""

import re

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
_WANT = (
    r"(?:quiero|quisiera|necesito|prefiero|deseo|puedo|podria|puedes|pueden|me gustaria|exijo"
    r"|hay forma de|es posible|como hago para|dejame|dejenme) (?:\w+ ){0,3}?"
)
_TALK = r"(?:hablar|chatear|conversar|comunicarme|contactarme|comunicar|contactar)"
_PUT_THROUGH = (
    r"(?:pasame|paseme|pasenme|comunicame|comuniqueme|conectame|transfiereme|ponme"
    r"|me (?:pasas|pasan|comunicas|comunican|conectas|pued\w+ (?:pasar|comunicar|conectar)))"
)
_SPANISH = re.compile(
    rf"(?:\b{_WANT}{_TALK}|^{_TALK}|\b{_PUT_THROUGH}) (?:con|a) {_PERSON}\b"
    rf"|\bque me (?:atienda|llame|escriba|conteste|responda) {_PERSON}\b"
    r"|\bno quiero hablar con (?:un |una |el |la |este |esta )?"
    r"(?:bot|robot|maquina|ia|asistente)\b"
)
_ENGLISH = re.compile(
    r"\b(?:talk|speak|chat|connect me|transfer me|put me through|get me) (?:\w+ )?(?:to|with) "
    rf"{_HUMAN}\b|\b(?:want|need|get me|give me) (?:a |the )?(?:real |human |live )"
    r"(?:human|person|agent|being|representative)\b"
)
_ALONE = {
    "es": {
        "humano", "persona", "asesor", "asesora", "agente", "una persona", "un humano",
        "persona real", "una persona real", "un asesor", "una asesora", "un agente",
        "agente humano", "hablar con alguien", "atencion humana", "representante",
    },
    "en": {"human", "agent", "real person", "a human", "a person", "representative", "operator"},
}  # fmt: skip
_REFUSED = re.compile(r"\b(?:no|don t (?:want|need) to|don t|no hace falta que) $")
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
    said = words(turn.text[:_READ_CHARACTERS])
    alone = " ".join(_POLITE.sub(" ", said).split())
    for known, phrases in _ALONE.items():
        if alone in phrases:
            return known
    for known, pattern in (("es", _SPANISH), ("en", _ENGLISH)):
        if any(not _REFUSED.search(said[: found.start()]) for found in pattern.finditer(said)):
            return known
    return language(turn) if _asks_for_owner(said, turn.company.name) else None


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
