"""Who wants to pay gets the link, and who refuses or complains is sold nothing."""

import pytest

from bot.llm.offline import Offline
from handlers import Prompts
from tests.handlers.making import CHALLENGE, company, turn


@pytest.mark.parametrize(
    "text",
    [
        "link",
        "el link por favor",
        "hola\nlink de pago",
        "pagar",
        "comprar el reto",
        "enlace del Reto Mensual porfa",
        "pásame el link",
        "¿me puedes mandar el enlace de pago?",
        "quiero el link",
        "¿no tienen el link?",
        "no sé cómo pagar",
        "me gusta, lo quiero",
        "necesito comprarlo hoy",
        "payment link please",
        "can you send me the link?",
        "how can I buy the reto?",
        "I'd like to buy",
        "send the link",
        "¿y el link?",
        "¿cómo me inscribo?",
        "¿se puede pagar hoy?",
    ],
)
def test_whoever_wants_to_pay_gets_the_link(text: str, prompts: Prompts) -> None:
    only = company(products=(CHALLENGE,))
    answer = Offline(prompts).answer(turn(text, company=only), only_known=True)

    assert answer is not None
    assert [action.kind for action in answer.actions] == ["send_payment_link"]


@pytest.mark.parametrize(
    "text",
    [
        "No quiero comprar nada",
        "no puedo pagar",
        "Ya no lo quiero",
        "quiero que me devuelvan lo que acabo de pagar",
        "el link no funciona",
        "quiero pagar pero el link del reto no abre",
        "vi su link en instagram",
        "mándame el link de tu instagram",
        "me llegó el link de zoom",
        "lo quiero pensar",
        "quiero comprender mejor todo",
        "I don't want to buy",
        "they sent me a link yesterday",
        "I can't pay right now",
        "quiero cancelar mi reto",
        "me arrepentí del reto",
        "ya pagué el reto",
        "¿cuándo me reembolsan lo que pagué por el reto?",
        "I paid for the reto yesterday",
        "ya hice el pago del reto",
        "el link del reto da error",
        "tengo un problema con el pago del reto",
        "no me interesa el reto",
        "el precio del reto no me sirve",
        "gracias pero no me llegó",
        "hola, no me llegó nada",
        "no quiero información",
    ],
)
def test_nothing_is_sold_on_a_refusal_or_a_complaint(text: str, prompts: Prompts) -> None:
    only = company(products=(CHALLENGE,))
    known = Offline(prompts).answer(turn(text, company=only), only_known=True)
    alone = Offline(prompts).answer(turn(text, company=only), only_known=False)

    assert known is None
    assert alone is not None
    assert (alone.intent, alone.actions) == ("other", [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no sé cuánto cuesta el reto", "*Reto Mensual* cuesta 78.00 USD"),
        ("¿no tienen otros programas?", "• *Reto Mensual*"),
        ("tengo problemas de espalda, ¿precio del reto?", "*Reto Mensual* cuesta 78.00 USD"),
        ("¿cómo funciona el reto?", "*Reto Mensual* cuesta 78.00 USD"),
    ],
)
def test_a_question_with_a_no_in_it_is_answered(text: str, expected: str, prompts: Prompts) -> None:
    answer = Offline(prompts).answer(turn(text), only_known=True)

    assert answer is not None
    assert expected in answer.text
