"""Which sums a text names, and which of them may be told."""

from dataclasses import replace
from decimal import Decimal

import pytest

from handlers import Prompts
from handlers.brief import Briefs
from handlers.guard import inspect
from models.values import CompanyCard
from tests.handlers.making import PLAN, answer, company

CARD = company(products=(replace(PLAN, price=Decimal("45.00")),))
"""One product, 45.00 USD."""


@pytest.fixture(scope="module")
def briefs(prompts: Prompts) -> Briefs:
    return Briefs(prompts)


def problems(briefs: Briefs, text: str, card: CompanyCard = CARD) -> tuple[str, ...]:
    return inspect(answer(text), card, briefs.opening(card)).problems


@pytest.mark.parametrize(
    "text",
    [
        "El plan cuesta *30* USD",
        "cuesta *30*",
        "cuesta ~45~ *30*",
        "Sale en _30_ dólares",
        "Cuesta `30`",
        "$*30*",
        "*USD* 30",
        "Precio: 30",
        "Precio: *30*",
        "*Precio:* 30",
        "Precio final: 30",
        "Precio del Plan Personalizado: 30",
        "Inversión: 30",
        "*Plan Personalizado*: *30*",
        "plan personalizado - 30\n¿Te gusta?",
        "Total: 30",
        "Total de tu plan: 30",
        "cuesta 45.00 30",
        "El precio es:\n30 al mes",
        "El precio es:\n30.",
        "Precio:\n- 30 al mes",
        "Precio – 30",
        'cuesta "30"',
        "cuesta (30)",
        "Te queda en 30",
        "Saldría en 30",
        "Te lo dejamos en 30",
        "Se lo dejo en 30",
        "Pagas solo 30",
        "Te lo dejo por 30",
        "Te lo puedo dejar en 30",
        "Se lo doy en 30",
        "Te cobro 30",
        "Cobramos 30 por clase",
        "3 cuotas de 30",
        "Rebajado a 30",
        "Precio especial: 30",
        "Oferta: 30",
        "El costo es de 30",
        "The cost is 30",
        "It costs you 30",
        "cuesta desde 30",
        "USD: 30",
        "USD (30)",
        "30 (USD)",
        "(30) USD",
        "30 [dólares]",
        "45.00 USD 30",
        "Antes 45 $30",
    ],
)
def test_neither_bold_nor_brackets_hide_a_price(text: str, briefs: Briefs) -> None:
    assert problems(briefs, text) == ("unknown_price",)


@pytest.mark.parametrize(
    "text",
    [
        *("USD$30", "USD$ 30", "U$ 30", "U$D 30", "u$s30", "RD$30", "COP$30", "$MXN 30"),
        *("desde$30", "💲30"),
        *("30 US dollars", "30 dls", "30 dlls", "Q30", "Q. 30", "₡30", "₲30", "30 ₡", "Gs. 30"),
        *("C$30", "Lps 30", "B/.30", "30 bolívares", "30 córdobas", "30 US$"),
        *("Q45", "Q100", "Q 10", "2 pesos de descuento", "RD$45", "C$45", "45 COP"),
    ],
)
def test_every_common_sign_makes_a_price(text: str, briefs: Briefs) -> None:
    assert problems(briefs, f"Son {text}") == ("unknown_price",)


@pytest.mark.parametrize(
    "text",
    [
        "treinta bolívares",
        "treinta y cinco USD",
        "treinta y cinco *USD*",
        "fifteen dollars",
        "twenty-five US dollars",
        "a hundred and twenty dollars",
        "dos mil quinientos pesos",
        "dieciséis euros",
        "veintiún pesos",
        "un millón de pesos",
        "un dólar",
        "cuesta treinta",
        "Precio: veinte al mes",
    ],
)
def test_a_price_in_words_is_held_back(text: str, briefs: Briefs) -> None:
    assert problems(briefs, f"Son {text}") == ("unknown_price",)


@pytest.mark.parametrize(
    "text",
    [
        "El plan cuesta *45* USD",
        "Precio: *45.00 USD*",
        "Plan Personalizado: 45",
        "*45.00* (USD)",
        "USD$45, o U$D 45.00",
        "Cuesta 45 US dollars",
        "45.00 USD (30 días)",
        "45.00 USD\n30 días de acompañamiento",
        "1. Plan: 45.00 USD\n2. Otro",
        "Los precios:\n1. Plan Personalizado, 45.00 USD",
        "El precio es:\n1️⃣ Plan Personalizado, 45.00 USD",
        "El precio de 10 clases es 45.00 USD",
        "Opción 1 (USD 45.00)",
        "Cuesta 45 USD 1 vez",
        "Son $45. Mil gracias",
        "Son $45\nMil gracias",
        "Son 45 USD mil gracias",
    ],
)
def test_a_true_price_passes_in_every_form(text: str, briefs: Briefs) -> None:
    assert problems(briefs, text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "Te ayuda a lograr un peso saludable",
        "Un mejor peso en un mes",
        "Puedes pagar los dos en dólares",
        "Estamos a solo 5 cuadras",
        "Queda a solo 3 km",
        "A solo 500 m del parque",
        "¿Te vale 10:30?",
        "¿Te vale 10 am?",
        "Plan Personalizado: 12 semanas",
        "*Plan Personalizado* · 3 clases por semana",
        "Vale 1 año",
        "Vale una fortuna",
        "Cuesta dos minutos",
        "Cuesta mil cosas",
        "Está a solo diez minutos.",
        "Vale 2 años desde la compra",
        "Cuesta 30 minutos al día",
        "Cuesta 30 min",
        "Total: 30 ejercicios",
        "Mil gracias",
        "A muchos les cuesta: 3 de cada 10 lo dejan",
        "A solo 2 clics",
        "Te los dejo en 3 mensajes",
        "Te lo dejo en 2 partes",
        "El valor calórico es de 250 por porción",
        "Valor nutricional: 250 por porción",
        "Usa dos pesos de 5 kg",
        "Te cobro 1 sola vez",
        "La coenzima Q10 te ayuda en Q1 y Q2",
        "Usa 2 pesos de 10 lb, o 3 pesos de 2.5 kg",
        "Vale, dos. Vale, 3",
        "Si te cuesta, 2 descansos",
        "Total: 3 rondas de 10",
        "El costo incluye: 2 consultas",
        "Precios válidos hasta: 31/12/2026",
        "Total de pasos: 10.000",
        "Total de repeticiones: 60",
        "Oferta: 2x1 en planes",
        "Se lo doy a 20 alumnos",
        "5*30 repeticiones",
        "30 gs de proteína, y q 30 días después sigas",
    ],
)
def test_plain_talk_is_no_price(text: str, briefs: Briefs) -> None:
    assert problems(briefs, text) == ()


@pytest.mark.parametrize(
    "text",
    [
        *("$45K", "45K USD", "USD 45 MIL", "45 Mil dólares", "$45 Millones", "$45M"),
        *("It costs 30 weekly", "Cuesta 30 mínimo", "Cuesta 30 mensual", "Vale 30 yearly"),
    ],
)
def test_a_number_is_read_to_its_end(text: str, briefs: Briefs) -> None:
    assert problems(briefs, text) == ("unknown_price",)


@pytest.mark.parametrize(
    "text", ["45 MIL PESOS", "45K COP", "45k COP", "$45.000", "45 Mil pesos", "$45 mil"]
)
def test_thousands_may_be_written_in_capitals(text: str, briefs: Briefs) -> None:
    card = company(products=(replace(PLAN, price=Decimal(45_000), currency="COP"),))

    assert problems(briefs, f"Cuesta {text}", card) == ()


def test_a_weight_in_the_description_does_not_hold_the_description_back(briefs: Briefs) -> None:
    card = company(products=(replace(PLAN, description="Logra un peso saludable"),))

    assert problems(briefs, "98.00 USD: Logra un peso saludable", card) == ()


def test_a_price_the_owner_spelled_out_may_be_told_so(briefs: Briefs) -> None:
    card = company(products=(replace(PLAN, description="Incluye un bono de treinta dólares"),))

    assert problems(briefs, "Trae un bono de treinta dólares", card) == ()
    assert problems(briefs, "Trae un bono de cuarenta dólares", card) == ("unknown_price",)


@pytest.mark.parametrize("field", ["system_prompt", "brand_personality"])
def test_a_sum_of_the_house_rules_may_be_told(field: str, briefs: Briefs) -> None:
    card = company(**{field: "Se paga en 3 cuotas de 15 USD, sin interés. Envío: *5 USD*."})

    assert problems(briefs, "Puedes pagar 3 cuotas de 15 USD; el envío 5.00 USD", card) == ()
    assert problems(briefs, "Puedes pagar 3 cuotas de 10 USD", card) == ("unknown_price",)


@pytest.mark.parametrize(
    "rule",
    [
        "Nunca bajes de 40 USD.",
        "Si regatean, no aceptes 40 USD.",
        "El mínimo son 40 USD",
        "Never go below 40 USD.",
    ],
)
def test_a_sum_the_house_rules_forbid_stays_inside(rule: str, briefs: Briefs) -> None:
    card = company(system_prompt=f"Atendemos de 9 a 5.\n{rule}")

    assert problems(briefs, "Te lo dejo en 40 USD", card) == ("unknown_price",)
