"""Whatever a provider sends, nothing of it reaches a customer but a valid answer's own text."""

import pytest

from handlers import Prompts, build
from models.errors import GiveUp, RetryLater
from models.values import Reply
from tests.bot.llm.conftest import OpenModel
from tests.fakes.openai_server import (
    SECRET,
    Act,
    FakeOpenAI,
    answer,
    body,
    drops,
    fails,
    refuses,
    writes,
)
from tests.handlers.making import turn


@pytest.mark.parametrize(
    "act",
    [
        *(fails(status) for status in (400, 401, 403, 404, 409, 422, 429, 500, 503)),
        fails(429, code="insufficient_quota"),
        refuses(),
        drops(after=SECRET.encode()),
        body(SECRET.encode()),
        body(SECRET.encode(), content_type="text/html"),
        writes(SECRET),
        writes(SECRET, finish="length"),
        writes(SECRET, finish="content_filter"),
        writes(f'{{"error": "{SECRET}"}}'),
        writes(f'{{"text": "", "intent": "{SECRET}"}}'),
    ],
)
@pytest.mark.parametrize("text", ["¿qué opinas de la luna?", "¿cuánto cuesta el reto?", "hola"])
async def test_no_word_of_a_failing_provider_is_said(
    act: Act, text: str, prompts: Prompts, fake: FakeOpenAI, open_on: OpenModel
) -> None:
    fake.always(act)

    async with open_on(fake) as model:
        persona = build(model, prompts, 60)[-1]
        try:
            reply = await persona.answer(turn(text))
        except (RetryLater, GiveUp):
            return

    assert isinstance(reply, Reply)
    assert not any(word in part for part in reply.parts for word in SECRET.split())


async def test_an_honest_answer_is_said(
    prompts: Prompts, fake: FakeOpenAI, open_on: OpenModel
) -> None:
    async with open_on(fake) as model:
        reply = await build(model, prompts, 60)[-1].answer(turn("hola"))

    assert isinstance(reply, Reply)
    assert reply.parts == (answer()["text"],)
    assert reply.ai is not None
    assert reply.ai.model == "model-a"
