"""Turns, companies and models for the tests of what we say."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from handlers import Completion, Handler, Prompt
from handlers.answer import Answer
from models.values import (
    Channel,
    CompanyCard,
    CustomerRef,
    Kind,
    Line,
    ProductCard,
    Reply,
    Sender,
    Stage,
    Turn,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAN = ProductCard(
    ref="P1",
    id=UUID(int=1),
    name="Plan Personalizado",
    description="Plan de entrenamiento y nutrición 100% personalizado",
    price=Decimal("98.00"),
    currency="USD",
    payment_link=None,
)
CHALLENGE = ProductCard(
    ref="P2",
    id=UUID(int=2),
    name="Reto Mensual",
    description="Reto de transformación de 30 días",
    price=Decimal("78.00"),
    currency="USD",
    payment_link="https://pay.test/reto",
)


def company(**changes: Any) -> CompanyCard:
    """A company with two products, the second of them with a link."""
    fields: dict[str, Any] = {
        "id": UUID(int=7),
        "name": "Emilio Born Coaching",
        "brand_personality": "Eres una persona cercana que entrena desde Miami.",
        "system_prompt": None,
        "products": (PLAN, CHALLENGE),
    }
    return CompanyCard(**{**fields, **changes})


def line(text: str, sender: Sender = Sender.CUSTOMER, *, number: int = 0) -> Line:
    """One line of a conversation."""
    return Line(f"{sender}-{number}", NOON + timedelta(seconds=number), sender, text)


def turn(*texts: str, kinds: Sequence[Kind] = (), **changes: Any) -> Turn:
    """A turn about these waiting messages; ``customer`` may be a dict of changes."""
    said = texts or ("hola",)
    customer = {"id": UUID(int=9), "phone": "+13055550100", "name": "Ana", "stage": Stage.LEAD}
    fields: dict[str, Any] = {
        "id": UUID(int=3),
        "attempt": 1,
        "tries": 0,
        "company": company(),
        "channel": Channel.TERMINAL,
        "chat": "cli:ana",
        "messages": tuple(line(text, number=n) for n, text in enumerate(said)),
        "kinds": tuple(kinds) or (Kind.TEXT,) * len(said),
    }
    who = CustomerRef(**{**customer, **changes.pop("customer", {})})
    return Turn(**{**fields, "customer": who, **changes})


async def said(handler: Handler, asked: Turn) -> tuple[str, ...]:
    """What the handler says to that, which must be something."""
    reply = await handler.answer(asked)
    assert isinstance(reply, Reply)
    return reply.parts


def answer(text: str = "¡Hola! ¿En qué te ayudo?", **changes: Any) -> Answer:
    """What a model decided, valid unless *changes* say otherwise."""
    fields: dict[str, Any] = {
        "intent": "greeting",
        "sentiment": "positive",
        "confidence": 0.9,
        "stage": "lead",
        "actions": [],
        "text": text,
    }
    return Answer(**{**fields, **changes})


def link_action(ref: str | None = "P2") -> dict[str, str | None]:
    """The action that asks for a payment link."""
    return {"kind": "send_payment_link", "product_ref": ref}


def picture_action(ref: str | None = "P2") -> dict[str, str | None]:
    """The action that asks for a product's picture."""
    return {"kind": "send_picture", "product_ref": ref}


class ScriptedModel:
    """A `LanguageModel` that gives these answers in turn and remembers what it was asked."""

    def __init__(
        self,
        *answers: Answer | Exception | Callable[[Prompt], Answer],
        prompt_tokens: int | None = 80,
    ) -> None:
        self._answers = list(answers)
        self._prompt_tokens = prompt_tokens
        self.asked: list[Prompt] = []
        self.spent: list[float] = []

    def describe(self) -> str:
        return "scripted"

    async def complete(self, prompt: Prompt, *, spent: float = 0.0) -> Completion:
        self.asked.append(prompt)
        self.spent.append(spent)
        given = self._answers.pop(0)
        if isinstance(given, Exception):
            raise given
        said = given if isinstance(given, Answer) else given(prompt)
        return Completion(
            said,
            target="scripted",
            model="model-1",
            tokens=100,
            seconds=0.25,
            prompt_tokens=self._prompt_tokens,
        )
