"""Whether a message is complete in itself, or its writer is likely to go on."""

import re

from handlers.opt_out import asks_to_stop
from models.text import words

_READ_CHARACTERS = 300
"""From the end, where a message says whether it goes on."""
_SENTENCE_WORDS = 3

_GREETINGS = """
    hola holaa holaaa holis buenas buenos buen dia dias tardes noches saludos que tal como estas
    esta estan va todo bien hey ola alo amigo amiga senor senora
    hi hello there good morning afternoon evening how are you doing is anybody anyone
"""
# What announces a question, and is none.
_OPENER = re.compile(
    r"(?:(?:hola|buenas|hi|hello|hey|oye|oiga|mira|disculpa|disculpe|perdon|sorry|excuse me"
    r"|una (?:pregunta|consulta|duda)|tengo una (?:pregunta|consulta|duda)"
    r"|(?:te|le|les) (?:hago|puedo hacer) una (?:pregunta|consulta)"
    r"|(?:puedo|podria) (?:hacerte|hacerle|hacerles|hacer) una (?:pregunta|consulta)"
    r"|quer(?:ia|o|emos) (?:preguntar|consultar|saber)(?:te|le|les)?"
    r"|(?:i have )?a (?:quick )?question|(?:can|may|could) i ask (?:you )?(?:something|a question)"
    r"|one (?:question|thing)) ?)+"
)
# Nobody ends on these: the next message goes on from here.
_LINKS = """
    y e o u ni pero sino aunque ademas tambien porque pues entonces que si cuando mientras como
    donde de del a al en con sin por para sobre hasta desde entre segun
    el la los las un una unos unas mi mis tu tus su sus este esta es son era estoy tengo quiero
    quisiera necesito osea
    and or but also because so then that if when while as of to in on at with without for from
    about the an my your his her is are was i we
"""
_GREETING, _LINK = (frozenset(table.split()) for table in (_GREETINGS, _LINKS))
# Words that ask, where people leave out the question mark.
_ASKS = re.compile(
    r"(?:(?:y|hola|buenas|oye|disculpa|hi|hello|and|so) )*"
    r"(?:cuanto|cuantos|cuanta|cuantas|cual|cuales|(?:a|en|de|por) (?:cuanto|cual|que|donde)"
    r"|(?:como|donde|que) (?:puedo|hago|pago|compro|queda|quedan|estan|incluye|precio|horario)"
    r"|how (?:much|many|do|does|can|long)|where (?:is|are|do|can)|what (?:is|are|does|do)"
    r"|which|do you|can i|can you)\b"
)
_QUESTION = re.compile(r"[?؟？][\W_]*$")
_FULL_STOP = re.compile(r"(?<![.,;:])[.!](?![.\w])[^\w.]*$")
_BREAKS_OFF = re.compile(r"(?:\.\.+|…|[,;:\-–—(/&+])\s*$")


def is_complete(text: str) -> bool:
    """Whether *text* can stand alone: a question, a finished sentence, or an opt-out.

    In doubt it cannot: then its writer is waited for a little longer, and nothing else.
    """
    end = text[-_READ_CHARACTERS:].rstrip()
    if not end or _BREAKS_OFF.search(end):
        return False
    said = words(end)
    heard = said.split()
    if not heard or _only_begins(said, heard):
        return False
    if _QUESTION.search(end) or asks_to_stop(text):
        return True
    if len(heard) < _SENTENCE_WORDS or heard[-1] in _LINK:
        return False
    return bool(_FULL_STOP.search(end) or _ASKS.match(said))


def _only_begins(said: str, heard: list[str]) -> bool:
    return all(word in _GREETING for word in heard) or _OPENER.fullmatch(said) is not None
