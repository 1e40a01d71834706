"""What a handler is, and what it may ask of a language model."""

from dataclasses import dataclass, replace
from typing import Literal, Protocol

from handlers.answer import Answer
from models.values import Reply, Silence, Turn


class Handler(Protocol):
    """One way to answer; the first that wants a turn has it."""

    @property
    def name(self) -> str: ...

    def wants(self, turn: Turn) -> bool:
        """Whether this turn is for this handler; pure and quick."""

    async def answer(self, turn: Turn) -> Reply | Silence:
        """The answer. Raises RetryLater when nothing could answer now, GiveUp when never."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """Everything one answer is made from.

    ``turn`` is there for rules that need no language model. ``hash`` names the version of the
    stable beginning, ``cache_key`` the company with it; ``repair`` is what to say to a model
    whose answer could not be read.
    """

    messages: tuple[Message, ...]
    turn: Turn
    hash: str
    cache_key: str
    repair: str

    def corrected(self, said: str, note: str) -> "Prompt":
        """The same prompt, going on after an answer that must not be sent."""
        more = (Message("assistant", said), Message("user", note))
        return replace(self, messages=self.messages + more)


@dataclass(frozen=True, slots=True)
class Completion:
    """A valid answer, with who gave it and what it cost; ``seconds`` is the whole wait.

    ``prompt_tokens`` are those of ``tokens`` that were read, not written; None: nobody said.
    """

    answer: Answer
    target: str
    model: str
    tokens: int
    seconds: float
    prompt_tokens: int | None = None


class LanguageModel(Protocol):
    """Whoever turns a prompt into a valid answer."""

    async def complete(self, prompt: Prompt, *, spent: float = 0.0) -> Completion:
        """Answer, or raise RetryLater when nothing answers, GiveUp when all refuse it.

        *spent* are the seconds that this turn's former question took of their common deadline.
        """

    def describe(self) -> str:
        """One line for people: who is asked, in which order."""
