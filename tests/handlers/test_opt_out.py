"""Stop means stop, and only when nothing else is meant."""

import pytest

from handlers import Prompts
from handlers.opt_out import OptOut
from models.values import Reply, Sender, Silence
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
        "no me escribas",
        "No me escriban nunca más.",
        "no me manden más mensajes",
        "no quiero que me escriban más",
        "no quiero que me manden publicidad",
        "no vuelvas a escribirme",
        "no me escriban más a este número",
        "déjame en paz",
        "Hola, no me escribas más",
        "No, no me escribas más",
        "No me interesa, no me escriban más, gracias",
        "ya te dije que no me escribas",
        "STOP STOP",
        "STOP ALL",
        "no escriban más",
        "nunca más me vuelvan a escribir",
        "no quiero más publicidad",
        "quiero que dejen de escribirme",
        "¿pueden dejar de molestar?",
        "sáquenme de su lista",
        "I want to unsubscribe",
        "quit",
        "cancel",
        "Cancel, please",
        "stop sending me messages",
        "don't text me anymore",
        "Don’t message me again",
        "I don't want any more messages",
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
        "no me escribas tanto texto, ¿cuánto cuesta?",
        "no me escribas más tarde",
        "¿por qué no me escriben?",
        "no me mandes fotos",
        "no me molesta",
        "no me escribe nadie",
        "no gracias",
        "no quiero más",
        "déjame pensarlo",
        "déjame ver",
        "quiero darme de baja del plan",
        "no me mandes",
        "no me llames",
        "quiero dejar de molestar a mi familia con esto",
        "cancel my plan",
        "quiero cancelar",
        "I want to quit smoking",
        "don't stop",
        "can you stop sending the invoice to my old address?",
        "gracias",
    ],
)
def test_a_stop_inside_another_sentence_is_not_one(text: str, prompts: Prompts) -> None:
    assert not OptOut(prompts).wants(turn(text))


def test_the_last_message_of_a_burst_decides(prompts: Prompts) -> None:
    assert OptOut(prompts).wants(turn("quiero comprar", "stop"))
    assert not OptOut(prompts).wants(turn("stop", "era broma, quiero comprar"))


@pytest.mark.parametrize("after", ["gracias", "Por favor", "ok, gracias", "👍", "thank you", "ya"])
def test_thanks_after_a_stop_take_nothing_back(after: str, prompts: Prompts) -> None:
    assert OptOut(prompts).wants(turn("STOP", after))
    assert not OptOut(prompts).wants(turn("quiero comprar", after))


@pytest.mark.parametrize(
    ("ours", "text"),
    [
        ("¿Prefieres intensidad alta o baja?", "Baja"),
        ("¿En qué nivel estás: alto, medio o bajo? 😊", "Alto"),
        ("¿Qué intensidad quieres?\n1. Alta\n2. Baja", "baja por favor"),
        ("Do you want to go on or cancel?", "cancel"),
        ("Anotado. ¿Cómo está tu nivel de estrés?", "Alto"),
        ("¿Cómo sientes tu energía por las tardes?", "baja"),
        ("¿Cómo tienes la presión? Es para cuidarte.", "baja"),
        ("¿Qué altura tienes?", "alto"),
        ("¿Qué intensidad prefieres?", "Baja, gracias"),
    ],
)
def test_an_answer_to_our_own_choice_is_not_a_stop(ours: str, text: str, prompts: Prompts) -> None:
    history = (line(ours, Sender.AGENT), line("hmm", number=1))

    assert not OptOut(prompts).wants(turn(text, history=history))
    assert OptOut(prompts).wants(turn("STOP", history=history))


@pytest.mark.parametrize(
    "ours",
    [
        "¿En qué te puedo ayudar?",
        "La intensidad es baja.",
        "Con buena energía se entrena mejor. ¿Te gustaría empezar?",
        "¿Quieres más información? Si no, responde BAJA.",
        "¿Quieres darte de baja?",
    ],
)
def test_a_stop_after_another_question_is_one(ours: str, prompts: Prompts) -> None:
    assert OptOut(prompts).wants(turn("Baja", history=(line(ours, Sender.AGENT),)))


async def test_who_opted_out_meets_recorded_silence(prompts: Prompts) -> None:
    asked = turn("¿cuánto cuesta el plan?", customer={"opted_out": True})
    handler = OptOut(prompts)

    assert handler.wants(asked)
    said = await handler.answer(asked)

    assert said == Silence(reason="the customer opted out", handler="opt_out")


@pytest.mark.parametrize(
    "texts",
    [
        ("Hola, no me escriban más",),
        ("Hola, ya les dije que no quiero nada de ustedes",),
        ("hola", "dejen de escribir a este número de una vez"),
        ("ALTA", "STOP"),
        ("gracias",),
        ("el plan de alta intensidad",),
    ],
)
async def test_who_still_refuses_meets_silence(texts: tuple[str, ...], prompts: Prompts) -> None:
    said = await OptOut(prompts).answer(turn(*texts, customer={"opted_out": True}))

    assert isinstance(said, Silence)


async def test_a_second_stop_is_not_confirmed_again(prompts: Prompts) -> None:
    said = await OptOut(prompts).answer(turn("stop", customer={"opted_out": True}))

    assert isinstance(said, Silence)


@pytest.mark.parametrize(
    "texts",
    [
        ("ALTA",),
        ("hola",),
        ("quiero volver",),
        ("Start",),
        ("Hola!! 👋",),
        ("hola buenas tardes",),
        ("Hola, quiero comprar el plan",),
        ("ALTA", "quiero comprar el plan"),
        ("ALTA, quiero comprar el plan",),
        ("¿cuánto cuesta?", "alta", "gracias"),
        ("hola", "¿cuánto cuesta el plan?"),
        ("ALTA", "no sé cuál plan quiero"),
    ],
)
async def test_who_comes_back_is_welcome(texts: tuple[str, ...], prompts: Prompts) -> None:
    said = await OptOut(prompts).answer(turn(*texts, customer={"opted_out": True}))

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
