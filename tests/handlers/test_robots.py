"""Who is taken for another robot, and who must never be."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import Prompts, load_prompts
from handlers.robots import Robots
from models.values import Channel, Line, Reply, Sender, Turn
from tests.handlers.making import NOON, turn

_PROMPTS = load_prompts()

Spoken = tuple[float, str]
OURS = (
    "¡Hola! ¿En qué te puedo ayudar?",
    "El plan cuesta 98 USD. ¿Quieres que te ayude con la compra?",
    "¡Con mucho gusto! Cuéntame un poco más de lo que buscas.",
    "Te lo preparo enseguida. ¿A qué nombre va?",
    "Listo. ¿Algo más?",
)
SENTENCE = "Con gusto le damos más información sobre nuestros servicios de envío número {}. "


def talk(*back: Spoken, ours: Sequence[str] = OURS, took: float = 5.0) -> Turn:
    """A chat in which each of our answers takes *took* s, and back comes a text after so many s."""
    now = NOON
    lines = [Line("first", now, Sender.CUSTOMER, "hola")]
    for number, (seconds, text) in enumerate(back):
        now += timedelta(seconds=took)
        lines.append(Line(f"a{number}", now, Sender.AGENT, ours[number % len(ours)]))
        now += timedelta(seconds=seconds)
        cut = now.replace(microsecond=0)  # As WhatsApp does.
        lines.append(Line(f"c{number}", cut, Sender.CUSTOMER, text))
    history, newest = lines[:-1], lines[-1]
    return turn(channel=Channel.WHATSAPP, history=tuple(history), messages=(newest,))


@pytest.fixture
def robots(prompts: Prompts) -> Robots:
    return Robots(prompts, rounds=4, pause_minutes=60)


ROBOTS = {
    "answers at once": [(0.6, f"respuesta {number}") for number in range(4)],
    "writes long texts quickly": [(8.0, SENTENCE.format(number) * 2) for number in range(4)],
    "writes long and short texts": [
        (6.0, "¡Claro! ¿Cuál te interesa?"),
        *((8.0, SENTENCE.format(number) * 2) for number in range(3)),
    ],
    "repeats itself": [(20.0, "Gracias por escribir, en breve le atendemos.")] * 4,
    "repeats itself nearly": [
        (20.0, f"Gracias por escribir, su turno es el número {number}, en breve le atendemos.")
        for number in range(4)
    ],
}
PEOPLE = {
    "writes short answers at once, but not always": [
        (0.5, "si"), (1.0, "98"), (3.5, "a nombre de Ana"), (0.8, "no"),
    ],
    "writes as fast as people do": [
        (12.0, "quiero saber si el plan incluye la parte de nutrición"),
        (15.0, "y cuánto tarda en llegar el material a mi casa en Caracas"),
        (9.0, "perfecto, lo quiero pagar hoy mismo"),
        (14.0, "el nombre es Ana María y la dirección la de siempre"),
    ],
    "pastes two long texts": [
        (5.0, SENTENCE.format(1) * 6), (7.0, "eso es lo que busco"),
        (4.0, SENTENCE.format(2) * 6), (9.0, "me ayudas?"),
    ],
    "says yes each time": [(4.0, "sí")] * 4,
    "comes back with the same after hours": [
        (7200.0, "Hola, quería saber si ya llegó mi pedido de la semana pasada.")
    ] * 4,
}  # fmt: skip


@pytest.mark.parametrize("back", ROBOTS.values(), ids=ROBOTS.keys())
async def test_another_robot_is_left_to_a_person_in_the_fifth_turn(
    robots: Robots, back: list[Spoken]
) -> None:
    assert not robots.wants(talk(*back[:3]))
    assert robots.wants(talk(*back))

    reply = await robots.answer(talk(*back))

    assert isinstance(reply, Reply)
    assert reply.pause_minutes == 60
    assert reply.event_data == {"reason": "another_robot"}


@pytest.mark.parametrize("back", PEOPLE.values(), ids=PEOPLE.keys())
def test_a_person_is_never_taken_for_a_robot(robots: Robots, back: list[Spoken]) -> None:
    assert not robots.wants(talk(*back))


def test_who_gets_the_same_answer_to_the_same_words_is_given_a_person(robots: Robots) -> None:
    assert robots.wants(talk(*[(4.0, "hola")] * 4, ours=OURS[:1]))


def test_an_owner_who_wrote_among_it_is_no_robot(robots: Robots) -> None:
    asked = talk(*ROBOTS["answers at once"])
    owner = Line("o", asked.history[-1].at, Sender.OWNER, "ya te ayudo")

    assert not robots.wants(turn(
        channel=Channel.WHATSAPP,
        history=(*asked.history[:5], owner, *asked.history[5:]),
        messages=asked.messages,
    ))  # fmt: skip


def test_at_the_terminal_and_where_it_is_switched_off_nobody_is_a_robot(prompts: Prompts) -> None:
    asked = talk(*ROBOTS["answers at once"])
    off = Robots(prompts, rounds=0, pause_minutes=60)
    typed = turn(channel=Channel.TERMINAL, history=asked.history, messages=asked.messages)

    assert not off.wants(asked)
    assert not Robots(prompts, rounds=4, pause_minutes=60).wants(typed)


@given(texts=st.lists(st.text("abcdefgé ", min_size=1, max_size=60), max_size=9), data=st.data())
def test_nobody_who_writes_as_people_can_is_a_robot(texts: list[str], data: st.DataObject) -> None:
    """At most 5 characters a second, after 3 seconds or more, and never the same words."""
    back = [
        (data.draw(st.floats(3 + len(text) / 5, 120)), f"{text} {'x' * number}")
        for number, text in enumerate(texts)
    ]

    assert not Robots(_PROMPTS, rounds=4, pause_minutes=60).wants(talk(*back))
