"""A discount is the owner's to give."""

import pytest

from handlers import Prompts
from handlers.brief import Briefs
from handlers.guard import inspect
from models.values import CompanyCard
from tests.handlers.making import answer, company


@pytest.fixture(scope="module")
def briefs(prompts: Prompts) -> Briefs:
    return Briefs(prompts)


def problems(briefs: Briefs, text: str, card: CompanyCard) -> tuple[str, ...]:
    return inspect(answer(text), card, briefs.opening(card)).problems


@pytest.mark.parametrize(
    "text",
    [
        "20% de descuento",
        "20 por ciento de descuento",
        "veinte por ciento de descuento",
        "Descuento: *20%*",
        "*20%* de descuento",
        "20% de *descuento*",
        "Descuento (20%)",
        "El descuento es hoy del 20 %",
        "rebajamos 20%",
        "Te rebajo un 20%",
        "rebajamos 20% de tu plan",
        "Te descuento un 20%",
        "Ahorras 20%",
        "20% más barato",
        "20% menos",
        "20% menos de lo normal",
        "No puedo más de 20% de descuento",
        "No hay problema, te doy 20% de descuento",
        "No hay problema 20% de descuento",
        "No solo te doy 20% de descuento",
        "¿Y por qué no te damos 20% de descuento en tu plan?",
        "No tengo nada mejor que un 20% de descuento",
        "No te puedo dar 30% de descuento, 20% de descuento sí",
        "20% menos en tu plan de peso",
        "20% menos en calorías y plan",
        "Promo de peso y 20% en tu plan",
        "20% de rebaja",
        "Take 20% off",
        "Save 20%",
        "a 20 percent discount",
        "10.20% de descuento",
    ],
)
def test_an_invented_discount_is_held_back(text: str, briefs: Briefs) -> None:
    card = company(brand_personality="Das 10% de descuento a quien vuelve.")

    assert problems(briefs, text, card) == ("unknown_discount",)


@pytest.mark.parametrize(
    "written", ["10% de descuento", "10 por ciento de descuento", "Descuento: *10 %*"]
)
@pytest.mark.parametrize(
    "text", ["10% de descuento", "*10 %* de descuento", "Un descuento del 10 por ciento"]
)
def test_the_owners_discount_is_told_in_any_form(text: str, written: str, briefs: Briefs) -> None:
    assert problems(briefs, text, company(system_prompt=written)) == ()


@pytest.mark.parametrize(
    "text",
    [
        "Promo con planes 100% personalizados",
        "Puedes rebajar 20% de tu peso",
        "El 80% es la comida",
        "Terminas con 20% menos grasa",
        "Descuento no hay. El 90% de la gente termina",
        "Mejoras un 20% por semana",
        "No manejamos el 20% de descuento que mencionas",
        "Lo siento, no puedo ofrecerte un descuento del 20%.",
        "No te puedo dar 20% de descuento, ¿te cuento del reto?",
        "We can't offer a 20% discount",
        "Come un 20% menos de azúcar",
        "Consume 15% menos calorías",
        "30% menos riesgo de lesión y 10% menos fatiga",
        "Con 10% menos de carga el primer día",
        "Descuenta el 10% de las repeticiones",
        "Un ahorro de energía del 20% por la mañana",
        "Eat 20% less sugar and 10% less of the carbs",
    ],
)
def test_other_shares_are_no_discount(text: str, briefs: Briefs) -> None:
    assert problems(briefs, text, company()) == ()
