"""A turn's two questions, the answer and its correction, share one deadline: in virtual time."""

import asyncio
from collections.abc import Sequence

import pytest

from bot.llm.asking import Door, Pace
from bot.llm.offline import Offline
from bot.llm.reading import Said
from bot.llm.targets import Targets
from handlers import Message, Prompts
from handlers.persona import Persona
from models.errors import RetryLater
from tests.handlers.making import answer, turn

DEADLINE = 20.0
INVENTED = "Te lo dejo en $50"
"""What the guard holds back."""


class Slow:
    """A target that says these texts in turn, each after so many seconds."""

    name, model, try_seconds = "a", "model-a", 12.0

    def __init__(self, *says: tuple[float, str]) -> None:
        self._says = list(says)

    async def ask(self, messages: Sequence[Message], cache_key: str) -> Said:
        assert messages
        assert cache_key
        seconds, text = self._says.pop(0)
        await asyncio.sleep(seconds)
        return Said(answer(text).model_dump_json(), 10)


def persona(target: Slow, prompts: Prompts) -> Persona:
    door = Door(target, pace=Pace(), on_call=lambda *_: None)
    model = Targets(
        [door],
        Offline(prompts),
        deadline_seconds=DEADLINE,
        description="a",
        on_call=lambda *_: None,
    )
    return Persona(model, prompts, pause_minutes=60)


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.looptime
@pytest.mark.asyncio(loop_scope="function")
async def test_a_correction_gets_what_the_first_answer_left_of_the_deadline(
    prompts: Prompts,
) -> None:
    target = Slow((11.0, INVENTED), (11.0, "Claro que sí"), (11.0, "Claro que sí"))
    began = now()

    with pytest.raises(RetryLater):
        await persona(target, prompts).answer(turn("mmm"))

    assert now() - began == pytest.approx(DEADLINE)


@pytest.mark.looptime
@pytest.mark.asyncio(loop_scope="function")
async def test_a_correction_that_comes_in_time_is_the_answer(prompts: Prompts) -> None:
    target = Slow((11.0, INVENTED), (8.0, "Claro que sí"))

    reply = await persona(target, prompts).answer(turn("mmm"))

    assert reply.parts == ("Claro que sí",)
    assert reply.ai is not None
    assert reply.ai.response_time == 19_000
