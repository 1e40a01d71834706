"""Whoever asks for a human gets one."""

import pytest

from handlers import Prompts
from handlers.hand_over import HandOver
from tests.handlers.making import company, turn


@pytest.fixture
def handler(prompts: Prompts) -> HandOver:
    return HandOver(prompts, pause_minutes=60)


@pytest.mark.parametrize(
    "text",
    [
        "quiero hablar con una persona",
        "Quiero hablar con un humano!!",
        "¿puedo hablar con alguien?",
        "necesito comunicarme con un asesor por favor",
        "pásame con el encargado",
        "hola, ¿me pueden pasar con una persona real?",
        "quiero que me atienda una persona",
        "quiero hablar con Emilio",
        "no quiero hablar con un bot",
        "Asesor",
        "una persona por favor",
        "hablar con una persona",
        "I want to talk to a human",
        "can I speak with a real person please?",
        "human",
    ],
)
def test_a_request_for_a_person_is_heard(text: str, handler: HandOver) -> None:
    assert handler.wants(turn(text))


@pytest.mark.parametrize(
    "text",
    [
        "no quiero hablar con una persona, contigo está bien",
        "ayer hablé con una persona de ustedes",
        "¿eres una persona real?",
        "el plan es para una persona o para dos?",
        "soy una persona ocupada",
        "quiero hablar del precio",
        "mi esposa habló con Emilio",
        "Emilio, ¿cuánto cuesta?",
        "I don't want to talk to a human",
        "hola",
        "",
    ],
)
def test_talk_about_people_is_not_a_request(text: str, handler: HandOver) -> None:
    assert not handler.wants(turn(text))


def test_a_request_hidden_in_a_burst_is_heard(handler: HandOver) -> None:
    assert handler.wants(turn("hola", "tengo un problema", "quiero hablar con alguien"))


def test_a_strange_company_name_does_no_harm(handler: HandOver) -> None:
    for name in ("", "(((", "🔥🔥", "La Tienda"):
        assert not handler.wants(turn("quiero hablar con la", company=company(name=name)))


async def test_the_customer_is_told_and_the_chat_is_paused(
    handler: HandOver, prompts: Prompts
) -> None:
    reply = await handler.answer(turn("quiero hablar con una persona"))

    assert reply.parts == (prompts.phrases.handed_over,)
    assert (reply.pause_minutes, reply.pause_reason) == (60, "handover")
    assert reply.event == "handover_requested"
    assert reply.event_data == {"reason": "asked_for_a_person"}


@pytest.mark.parametrize(
    "text", ["I need to talk to a real person", "hi, can I talk to Emilio please"]
)
async def test_english_is_answered_in_english(
    text: str, handler: HandOver, prompts: Prompts
) -> None:
    reply = await handler.answer(turn(text))

    assert reply.parts == (prompts.english.handed_over,)
