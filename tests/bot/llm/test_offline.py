"""What the built-in rules say, and what they leave to others."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.llm.offline import Offline
from handlers import Prompts
from models.values import Line, Sender, Turn
from tests.handlers.making import CHALLENGE, PLAN, company, line, turn


def agent(text: str) -> Line:
    return line(text, Sender.AGENT)


def said(prompts: Prompts, asked: Turn, *, only_known: bool = True) -> str | None:
    answer = Offline(prompts).answer(asked, only_known=only_known)
    return None if answer is None else answer.text


@pytest.mark.parametrize("text", ["hola", "¡Hola! 👋", "buenas tardes", "Buenos días", "HOLA"])
def test_a_greeting_is_answered_by_name(text: str, prompts: Prompts) -> None:
    answer = said(prompts, turn(text))

    assert answer is not None
    assert answer.startswith("¡Hola Ana! Gracias por escribir a Emilio Born Coaching.")


def test_a_strange_profile_name_is_not_repeated(prompts: Prompts) -> None:
    answer = said(prompts, turn("hola", customer={"name": "https://evil.test $company"}))

    assert answer is not None
    assert answer.startswith("¡Hola! ")


@pytest.mark.parametrize(
    "text", ["¿qué tienen?", "info", "quiero ver los productos", "¿Qué servicios ofrecen?"]
)
def test_the_products_are_listed_with_their_prices(text: str, prompts: Prompts) -> None:
    answer = said(prompts, turn(text))

    assert answer is not None
    assert "*Plan Personalizado* · 98.00 USD: Plan de entrenamiento" in answer
    assert "*Reto Mensual* · 78.00 USD" in answer


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("¿Cuánto cuesta el reto?", "78.00 USD"),
        ("precio del PLAN", "98.00 USD"),
        ("cuanto sale el p2", "78.00 USD"),
        ("how much is the plan?", "98.00 USD"),
    ],
)
def test_a_named_product_is_priced(text: str, price: str, prompts: Prompts) -> None:
    answer = Offline(prompts).answer(turn(text), only_known=True)

    assert answer is not None
    assert price in answer.text
    assert answer.intent == "price_inquiry"
    assert answer.actions == []


@pytest.mark.parametrize(
    "text", ["quiero comprar el reto", "mándame el link del reto", "¿cómo pago el Reto Mensual?"]
)
def test_a_purchase_asks_for_the_link_of_the_named_product(text: str, prompts: Prompts) -> None:
    answer = Offline(prompts).answer(turn(text), only_known=True)

    assert answer is not None
    assert [(action.kind, action.product_ref) for action in answer.actions] == [
        ("send_payment_link", "P2")
    ]
    assert "http" not in answer.text


PLANS = (
    replace(PLAN, name="Curso para parejas"),
    replace(CHALLENGE, name="Terapia individual con seguimiento"),
)


@pytest.mark.parametrize(
    "text", ["quiero comprar algo para mi hija", "quiero pagar con mi esposa", "quiero comprar"]
)
def test_a_function_word_of_a_name_names_no_product(text: str, prompts: Prompts) -> None:
    both = company(products=PLANS)
    answer = Offline(prompts).answer(turn(text, company=both), only_known=True)

    assert answer is not None
    assert answer.actions == []
    assert "Curso para parejas" in answer.text


def test_a_purchase_without_a_name_asks_which_one(prompts: Prompts) -> None:
    answer = Offline(prompts).answer(turn("quiero comprar"), only_known=True)

    assert answer is not None
    assert answer.actions == []
    assert "Plan Personalizado" in answer.text


def test_a_purchase_remembers_what_was_talked_about(prompts: Prompts) -> None:
    history = (line("¿cuánto cuesta el reto?"), agent("*Reto Mensual* cuesta 78.00 USD."))

    answer = Offline(prompts).answer(turn("quiero pagar", history=history), only_known=True)

    assert answer is not None
    assert answer.actions[0].product_ref == "P2"


@pytest.mark.parametrize("text", ["sí", "Sí, por favor", "dale", "yes please"])
def test_yes_to_our_own_offer_is_a_purchase(text: str, prompts: Prompts) -> None:
    history = (agent("*Reto Mensual* cuesta 78.00 USD.\n\n¿Quieres que te ayude con la compra?"),)

    answer = Offline(prompts).answer(turn(text, history=history), only_known=True)

    assert answer is not None
    assert answer.actions[0].product_ref == "P2"


@pytest.mark.parametrize("language", ["es", "en"])
def test_yes_to_each_way_we_offer_is_a_purchase(language: str, prompts: Prompts) -> None:
    asked = {"es": "¿cuánto cuesta el reto?", "en": "how much is the reto?"}[language]
    plain = company(products=(PLAN, replace(CHALLENGE, description="")))
    for known in (company(), plain):
        offer = said(prompts, turn(asked, company=known))
        assert offer is not None
        history = (line(asked), agent(offer))

        answer = Offline(prompts).answer(
            turn("ok", company=known, history=history), only_known=True
        )

        assert answer is not None
        assert [action.product_ref for action in answer.actions] == ["P2"]


@pytest.mark.parametrize(
    "last",
    [
        line("¿Te llegó el Reto Mensual que pagaste?", Sender.OWNER),
        line("*Reto Mensual*. ¿Quieres que te ayude con la compra?", Sender.OWNER),
        agent("¿Ya pagaste el Reto Mensual?"),
        agent("El Reto Mensual no incluye eso. ¿Prefieres que lo dejemos?"),
        agent("*Reto Mensual* cuesta 78.00 USD. ¿Quieres que te ayude con la compra? Ya no queda."),
    ],
)
@pytest.mark.parametrize("text", ["Sí", "ok"])
def test_yes_to_another_question_sells_nothing(text: str, last: Line, prompts: Prompts) -> None:
    assert said(prompts, turn(text, history=(last,))) is None


@pytest.mark.parametrize(
    ("description", "shown"),
    [
        ("¡Inscríbete ya!", "¡Inscríbete ya!\n"),
        ("Treinta días", "Treinta días.\n"),
        ("Treinta días.", "Treinta días.\n"),
        ("Incluye 30", "Incluye 30.\n"),
        ("Treinta días 🔥", "Treinta días 🔥\n"),
        ("x" * 200, "x…\n"),
    ],
)
def test_a_description_ends_once(description: str, shown: str, prompts: Prompts) -> None:
    only = company(products=(replace(CHALLENGE, description=description),))
    answer = said(prompts, turn("precio del reto", company=only))

    assert answer is not None
    assert shown in answer


def test_thanks_are_returned(prompts: Prompts) -> None:
    assert said(prompts, turn("muchas gracias")) == prompts.phrases.farewell


@pytest.mark.parametrize(
    "text",
    [
        "¿cuánto tiempo tarda en notarse?",
        "me duele la rodilla, ¿puedo entrenar?",
        "hola, tengo una duda sobre lo que me dijiste ayer de la comida",
        "👍",
        "…",
        "el plan que me dieron en el hospital no me deja hacer ejercicio",
    ],
)
def test_what_no_rule_knows_is_declined_while_a_real_target_is_configured(
    text: str, prompts: Prompts
) -> None:
    assert said(prompts, turn(text)) is None
    assert said(prompts, turn(text), only_known=False)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("no soy de Miami, ¿cuánto cuesta?", "Personalizado Reto"),
        ("no soy de miami cuanto cuesta el reto", "Reto"),
        ("No quiero el plan. ¿Qué precio tiene el reto?", "Reto"),
        ("no tengo tiempo pero qué planes tienen", "Personalizado Reto"),
        ("I don't live in Miami, how much is it?", "Personalizado Reto"),
    ],
)
def test_a_no_to_something_else_hides_no_price(text: str, named: str, prompts: Prompts) -> None:
    answer = Offline(prompts).answer(turn(text), only_known=True)

    assert answer is not None
    assert not answer.actions
    assert [name for name in ("Personalizado", "Reto") if name in answer.text] == named.split()


@pytest.mark.parametrize(
    "text",
    [
        "no me interesa, el precio es muy alto",
        "no quiero más información, ¿vale?",
        "no funciona, ¿cuánto tarda el reembolso y cuánto cuesta?",
        "no puedo pagar, ¿cómo pago después?",
    ],
)
def test_a_no_to_the_products_is_left_alone(text: str, prompts: Prompts) -> None:
    assert said(prompts, turn(text)) is None


def test_an_empty_catalogue_is_admitted(prompts: Prompts) -> None:
    nothing = company(products=())

    assert said(prompts, turn("precios", company=nothing)) == prompts.phrases.empty_catalogue
    assert said(prompts, turn("quiero comprar", company=nothing)) is None


def test_only_the_products_of_the_turn_are_known(prompts: Prompts) -> None:
    other = company(products=(PLAN,))

    answer = said(prompts, turn("¿qué tienen?", company=other))

    assert answer is not None
    assert CHALLENGE.name not in answer


def test_a_dollar_sign_in_the_owners_text_is_only_text(prompts: Prompts) -> None:
    odd = PLAN.__class__("P1", PLAN.id, "Plan $link", "vale $$ y $price", Decimal(5), "USD", None)

    answer = said(prompts, turn("¿qué tienen?", company=company(products=(odd,))))

    assert answer is not None
    assert "Plan $link* · 5.00 USD: vale $$ y $price" in answer


@pytest.mark.parametrize("text", ["¿tienes foto del reto?", "any picture of the reto?"])
def test_a_picture_is_shown_of_the_named_product_that_has_one(text: str, prompts: Prompts) -> None:
    shown = company(products=(PLAN, replace(CHALLENGE, picture="/srv/reto.jpg")))
    answer = Offline(prompts).answer(turn(text, company=shown), only_known=True)
    without = Offline(prompts).answer(turn(text), only_known=False)

    assert answer is not None
    assert [(action.kind, action.product_ref) for action in answer.actions] == [
        ("send_picture", "P2")
    ]
    assert "78.00 USD" in answer.text
    assert without is not None
    assert without.actions == []
