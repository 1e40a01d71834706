"""Stop means stop, and only when nothing else is meant."""

import pytest

from handlers import Prompts
from handlers.opt_out import OptOut
from models.values import Reply, Silence
from tests.handlers.making import line, turn


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        "alto",
        "Baja.",
        "¡No me escribas más!",
        "no me escriban más por favor",
        "Stop 🛑",
        "darme de baja",
        "unsubscribe",
        "please stop texting me",
        "ＳＴＯＰ",
    ],
)
async def test_a_bare_stop_is_confirmed_once(text: str, prompts: Prompts) -> None:
    handler = OptOut(prompts)

    assert handler.wants(turn(text))
    reply = await handler.answer(turn(text))

    assert isinstance(reply, Reply)
    assert reply.opt_out is True
    assert reply.event == "opted_out"
    assert len(reply.parts) == 1


@pytest.mark.parametrize(
    "text",
    [
        "no me escribas más tarde, escríbeme ahora",
        "alto precio",
        "¿está de baja el producto?",
        "quiero dejar de comer pan",
        "stop and think",
        "hola",
        "👍",
        "",
        "no más harinas",
    ],
)
def test_a_stop_inside_another_sentence_is_not_one(text: str, prompts: Prompts) -> None:
    assert not OptOut(prompts).wants(turn(text))


def test_the_last_message_of_a_burst_decides(prompts: Prompts) -> None:
    assert OptOut(prompts).wants(turn("quiero comprar", "stop"))
    assert not OptOut(prompts).wants(turn("stop", "era broma, quiero comprar"))


async def test_who_opted_out_meets_recorded_silence(prompts: Prompts) -> None:
    asked = turn("¿cuánto cuesta el plan?", customer={"opted_out": True})
    handler = OptOut(prompts)

    assert handler.wants(asked)
    said = await handler.answer(asked)

    assert said == Silence(reason="the customer opted out", handler="opt_out")


async def test_a_second_stop_is_not_confirmed_again(prompts: Prompts) -> None:
    said = await OptOut(prompts).answer(turn("stop", customer={"opted_out": True}))

    assert isinstance(said, Silence)


@pytest.mark.parametrize("text", ["ALTA", "hola", "quiero volver", "Start", "Hola!! 👋"])
async def test_who_comes_back_is_welcome(text: str, prompts: Prompts) -> None:
    said = await OptOut(prompts).answer(turn(text, customer={"opted_out": True}))

    assert isinstance(said, Reply)
    assert said.opt_out is False
    assert said.event == "opted_in"


@pytest.mark.parametrize(("before", "language"), [("how much is it?", "en"), ("hola", "es")])
async def test_a_word_of_both_languages_is_answered_in_the_customers(
    before: str, language: str, prompts: Prompts
) -> None:
    said = await OptOut(prompts).answer(turn("STOP", history=[line(before)]))

    assert isinstance(said, Reply)
    assert said.parts == (prompts.say(language).opted_out,)


async def test_english_is_answered_in_english(prompts: Prompts) -> None:
    said = await OptOut(prompts).answer(turn("unsubscribe"))

    assert isinstance(said, Reply)
    assert said.parts == (prompts.english.opted_out,)
