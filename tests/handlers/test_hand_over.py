"""Whoever asks for a human gets one."""

import pytest

from handlers import Prompts
from handlers.hand_over import HandOver
from models.values import Sender
from tests.handlers.making import company, line, turn


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
        "No, quiero hablar con una persona",
        "no… quiero hablar con una persona",
        "No.\nNecesito comunicarme con un asesor",
        "¿No puedo hablar con una persona?",
        "quiero un humano",
        "Esto no sirve, necesito un humano ya",
        "hola, necesito un asesor por favor",
        "¿me puede atender una persona?",
        "¿podría atenderme alguien?",
        "¿se puede hablar con alguien?",
        "I want a human",
        "I need an agent please",
        "live agent",
        "quiero hablar ya con una persona",
        "quiero hablar con alguien de su equipo",
        "I want to talk to someone in Spanish",
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
        "No, no quiero hablar con una persona",
        "no puedo hablar con una persona ahora",
        "no necesito un asesor",
        "ya no quiero un humano",
        "no quiero que me llame una persona",
        "necesito un asesor fiscal para mi empresa",
        "quiero una mesa para una persona",
        "I don't want a human",
        "do you need an agent?",
        "I would rather not talk to a person",
        "I need a person to share the plan with",
        "Quiero hablar con alguien de mi familia antes de decidir",
        "quiero hablar con alguien más de mi casa",
        "I have to talk to someone at my bank first",
        "I need to talk to the owner of my building",
    ],
)
def test_talk_about_people_is_not_a_request(text: str, handler: HandOver) -> None:
    assert not handler.wants(turn(text))


def test_a_request_hidden_in_a_burst_is_heard(handler: HandOver) -> None:
    assert handler.wants(turn("hola", "tengo un problema", "quiero hablar con alguien"))
    assert handler.wants(turn("No", "Quiero hablar con una persona"))
    assert not handler.wants(turn("hola", "no quiero hablar con una persona"))


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("¿Para cuántas personas es la reserva?", "Una persona"),
        ("¡Perfecto! ¿En qué fecha, y es para una persona o para dos? 😊", "una persona por favor"),
        ("¿Te paso el precio para una persona o para dos?", "una persona"),
        ("Shall I pass you the price for a person or for two?", "a person"),
        ("¿A qué te dedicas?", "Asesor"),
        ("What do you do for a living?", "agent"),
        ("What do you do all day?", "operator"),
        ("¿Quién te recomendó?", "un asesor"),
        ("¿Con quién hablaste antes?", "asesora"),
        ("¿Y qué haces?", "representante"),
        ("Who referred you?", "an agent"),
    ],
)
def test_an_answer_to_our_own_question_is_not_a_request(
    asked: str, text: str, handler: HandOver
) -> None:
    history = (line(asked, Sender.AGENT),)

    assert not handler.wants(turn(text, history=history))
    assert handler.wants(turn("quiero hablar con un humano", history=history))


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("¿Prefieres seguir conmigo o hablar con una persona?", "Una persona"),
        ("¿Quieres que te pase con alguien del equipo?", "una persona"),
        ("¡Hola! ¿En qué te puedo ayudar?", "Una persona"),
        ("¿Cuál te llama la atención?", "un humano"),
        ("¿Con quién quieres hablar?", "un asesor"),
        ("¿Quién te puede ayudar mejor?", "un asesor"),
        ("¿Quieres que te ayude con la compra?", "asesor"),
        ("¿Para cuántos? Dime y lo anoto. Puedes escribir cuando quieras.", "humano"),
        ("¿Quieres que te atienda una persona?", "Una persona"),
        ("How can I help you?", "a person"),
        ("Would you rather talk to a person?", "a person"),
    ],
)
def test_a_person_is_given_where_our_question_leaves_room_for_one(
    asked: str, text: str, handler: HandOver
) -> None:
    assert handler.wants(turn(text, history=(line(asked, Sender.AGENT),)))


@pytest.mark.timeout(10)
def test_a_long_line_of_the_owner_is_read_at_once(handler: HandOver) -> None:
    ours = line("rutina, " * 15_000, Sender.OWNER)

    assert handler.wants(turn("un asesor", history=(ours,)))


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
