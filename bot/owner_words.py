"""What the owner can command in the account's own chat, and what we answer there."""

from collections.abc import Mapping
from enum import StrEnum
from string import Template
from types import MappingProxyType
from typing import Any

from models.text import words


class Command(StrEnum):
    """One word, alone in a message."""

    TODAY = "today"
    PAUSE = "pause"
    RESUME = "resume"
    HELP = "help"


_COMMANDS: Mapping[str, tuple[Command, str]] = MappingProxyType(
    {
        "hoy": (Command.TODAY, "es"),
        "pausa": (Command.PAUSE, "es"),
        "sigue": (Command.RESUME, "es"),
        "ayuda": (Command.HELP, "es"),
        "today": (Command.TODAY, "en"),
        "pause": (Command.PAUSE, "en"),
        "resume": (Command.RESUME, "en"),
        "help": (Command.HELP, "en"),
    }
)

_ANSWERS: Mapping[tuple[Command, str], str] = MappingProxyType(
    {
        (Command.TODAY, "es"): (
            "*Hoy*\nPersonas que escribieron: $people\nRespuestas mías: $replies\n"
            "Chats que te pasé: $handovers\nChats contigo ahora: $with_you\n"
            "Ventas: $sales\nMensajes que llegaron demasiado tarde: $too_old"
        ),
        (Command.TODAY, "en"): (
            "*Today*\nPeople who wrote: $people\nMy replies: $replies\n"
            "Chats I passed to you: $handovers\nChats with you now: $with_you\n"
            "Sales: $sales\nMessages that came too late: $too_old"
        ),
        (Command.PAUSE, "es"): "En pausa: no respondo en ningún chat hasta que escribas *sigue*.",
        (Command.PAUSE, "en"): "Paused: I answer in no chat until you write *resume*.",
        (Command.RESUME, "es"): (
            "Listo, respondo otra vez. Los chats que tomaste tú siguen contigo hasta que pase su"
            " pausa."
        ),
        (Command.RESUME, "en"): (
            "Done, I answer again. The chats you took over stay with you until their pause is over."
        ),
        (Command.HELP, "es"): (
            "Escríbeme aquí, en este chat contigo, una sola palabra:\n"
            "*hoy*: cómo va el día\n*pausa*: dejo de responder en todos los chats\n"
            "*sigue*: respondo otra vez\n*ayuda*: esta lista"
        ),
        (Command.HELP, "en"): (
            "Write me one word here, in this chat with yourself:\n"
            "*today*: how the day goes\n*pause*: I stop answering in all chats\n"
            "*resume*: I answer again\n*help*: this list"
        ),
    }
)

_STILL_PAUSED: Mapping[str, str] = MappingProxyType(
    {
        "es": "\nEstoy en pausa; escribe *sigue* para que responda.",
        "en": "\nI am paused; write *resume* to let me answer.",
    }
)


def command_of(text: str) -> tuple[Command, str] | None:
    """The command that *text* is and the language it is in; None: something else."""
    return _COMMANDS.get(words(text)) if len(text) <= 40 else None


def answer(command: Command, language: str, figures: Mapping[str, Any]) -> str:
    """What the owner reads; *figures* are those of the day."""
    slots = {name: str(value) for name, value in figures.items()}
    text = Template(_ANSWERS[command, language]).safe_substitute(slots)
    return text + (_STILL_PAUSED[language] if figures.get("paused") else "")
