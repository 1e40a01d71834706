"""What we say: the ordered handlers; the first that wants a turn answers it."""

from handlers.base import Completion, Handler, LanguageModel, Message, Prompt
from handlers.calls import Calls
from handlers.hand_over import HandOver
from handlers.language import language, language_of
from handlers.media import Media
from handlers.opt_out import OptOut
from handlers.patience import is_complete
from handlers.persona import Persona
from handlers.prompts import Phrases, Prompts, load_prompts
from handlers.robots import Robots

__all__ = [
    "Completion",
    "Handler",
    "LanguageModel",
    "Message",
    "Phrases",
    "Prompt",
    "Prompts",
    "build",
    "is_complete",
    "language",
    "language_of",
    "load_prompts",
]


def build(
    model: LanguageModel,
    prompts: Prompts,
    pause_minutes: int,
    *,
    call_sentence: str = "",
    call_minutes: int = 30,
    robot_turns: int = 4,
) -> tuple[Handler, ...]:
    """All handlers in their order; the last one wants every turn."""
    return (
        OptOut(prompts),
        HandOver(prompts, pause_minutes=pause_minutes),
        Robots(prompts, rounds=robot_turns, pause_minutes=pause_minutes),
        Calls(prompts, sentence=call_sentence, minutes=call_minutes),
        Media(prompts),
        Persona(model, prompts, pause_minutes=pause_minutes),
    )
