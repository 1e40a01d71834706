"""Which messages stand alone, and which make us wait for the next one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import is_complete

QUESTIONS = (
    "¿Cuánto cuesta el plan?",
    "hacen envíos a Caracas?",
    "cuánto cuesta el reto mensual",
    "hola, cuánto vale el plan",
    "a cómo sale el envío? 🙏",
    "por qué?",
    "Hola! Tienen talla M???",
    "How much is it?",
    "how much is the monthly plan",
    "can i pay by card",
)
SENTENCES = (
    "Quiero el plan personalizado.",
    "Hola. Me interesa el reto mensual.",
    "Ya hice el pago, gracias!",
    "I would like to order two. 😊",
)
OPT_OUTS = ("stop", "no me escriban más", "Darme de baja por favor", "leave me alone")
UNFINISHED = (
    "hola",
    "Hola!",
    "Buenas tardes.",
    "hola, qué tal?",
    "hola cómo estás?",
    "Hi, how are you doing?",
    "una pregunta",
    "Hola, te hago una consulta",
    "can I ask you something?",
    "quiero el plan pero",
    "me interesa el de 78 y",
    "además",
    "vi el anuncio,",
    "estaba pensando...",
    "estaba pensando…",
    "necesito lo siguiente:",
    "quiero saber si",
    "y también",
    "el plan personalizado",
    "ok.",
    "sí",
    "78.50",
    "mira www.example.com",
    "",
    "   ",
    "👍",
    "!!!",
)


@pytest.mark.parametrize("text", [*QUESTIONS, *SENTENCES, *OPT_OUTS])
def test_what_is_complete_in_itself_is_waited_for_shortly(text: str) -> None:
    assert is_complete(text)


@pytest.mark.parametrize("text", UNFINISHED)
def test_what_sounds_as_if_it_went_on_is_waited_for(text: str) -> None:
    assert not is_complete(text)


@given(st.text(max_size=400), st.sampled_from([",", "...", "…", ":", " -"]))
def test_whatever_breaks_off_is_waited_for(text: str, end: str) -> None:
    assert not is_complete(text + end)


@given(st.text(max_size=400))
def test_blanks_around_a_message_change_nothing(text: str) -> None:
    assert is_complete(f"{text} \n") == is_complete(text)
