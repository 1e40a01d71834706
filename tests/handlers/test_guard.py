"""What may never reach a customer does not, and honest text does."""

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import Prompts, load_prompts
from handlers.answer import Answer
from handlers.brief import Briefs
from handlers.guard import TEXT_CHARACTERS, Verdict, allowed_stage, inspect, product_to_pay
from handlers.links import without_links
from models.values import CompanyCard, Stage
from tests.handlers.making import CHALLENGE, PLAN, answer, company, link_action


@pytest.fixture(scope="module")
def briefs(prompts: Prompts) -> Briefs:
    return Briefs(prompts)


def judge(briefs: Briefs, said: str | Answer, card: CompanyCard | None = None) -> Verdict:
    card = card or company()
    given = answer(said) if isinstance(said, str) else said
    return inspect(given, card, briefs.opening(card))


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.test/pago",
        "http://evil.test",
        "evil-pay.com/x",
        "bit.ly/abc",
        "https://buy.stripe.com/xxxxx@evil.com/",
        "www.evil.test",
        "wa.me/13055550100",
        "ht\u200btps://evil.test/x",
        "ht\u200dtps://evil.test/x",
        "ｈｔｔｐｓ://evil.test/x",
        "EVIL.COM",
        "Evil.Com",
        "évil.com/x",
        "tienda.es",
        "//evil.test/x",
        "whatsapp://send?x",
        "1.2.3.4/x",
        "pagos@evil.com",
        "[Paga aquí](https://evil.test)",
        "<https://evil.test>",
    ],
)
def test_a_link_of_the_model_is_removed(link: str, briefs: Briefs) -> None:
    verdict = judge(briefs, f"Puedes pagar aquí: {link} ¡gracias!")

    assert verdict.stripped
    assert not re.search(r"evil|bit\.ly|wa\.me|stripe|tienda|1\.2\.3|//", verdict.text, re.I)
    assert verdict.text.startswith("Puedes pagar aquí:")
    assert verdict.text.endswith("¡gracias!")


@pytest.mark.parametrize(
    "text",
    [
        "Te espero a las 10.30",
        "8.Gracias por todo",
        "Listo.Gracias por escribir",
        "Son 3.5 kg en 2.000 metros",
        "En EE.UU. y otros países, p.ej. México",
        "Entrena lunes/martes y/o jueves",
        "Fin.Me alegra mucho",
        "Bien... no pasa nada",
    ],
)
def test_honest_text_passes_untouched(text: str, briefs: Briefs) -> None:
    assert judge(briefs, text) == Verdict(text, (), stripped=False)


def test_a_mail_address_of_the_owner_may_be_told(briefs: Briefs) -> None:
    card = company(system_prompt="Correo: hola@empresa.test")

    assert (
        judge(briefs, "Escribe a hola@empresa.test.", card).text == "Escribe a hola@empresa.test."
    )
    assert "otro@" not in judge(briefs, "Escribe a otro@empresa.test.", card).text


def test_a_handle_of_the_owner_may_be_told(briefs: Briefs) -> None:
    card = company(brand_personality="Instagram: @Emilio.coach, correo hola@empresa.test")

    assert judge(briefs, "Sígueme en @emilio.coach.", card).text == "Sígueme en @emilio.coach."
    assert judge(briefs, "Sígueme en @evil.coach", card).text == "Sígueme en"
    assert judge(briefs, "Está en emilio.coach", card).text == "Está en"
    assert "@Emilio.coach, correo hola@empresa.test" in briefs.opening(card).text


@pytest.mark.parametrize(
    "text",
    [
        "El plan cuesta 98.00 USD",
        "Cuesta $98",
        "US$ 78.00 al mes",
        "98,00 dólares",
        "El plan sale en 98 y el reto en 78 USD",
        "Bajarás 10 libras en 30 días",
        "El precio es de 98.00",
        "Cuesta 30 minutos al día",
        "Al 100%",
    ],
)
def test_catalogue_prices_and_other_numbers_pass(text: str, briefs: Briefs) -> None:
    assert judge(briefs, text).problems == ()


@pytest.mark.parametrize(
    "text",
    [
        "Te lo dejo en $9.80",
        "Son 49 dólares",
        "98 pesos",
        "98 euros",
        "€78",
        "98.000 USD",
        "Solo $2k",
        "cuesta 50",
        "te lo dejo en 60",
        "＄９",
        "$\u200b9",
        "noventa y ocho dólares",
        "1.200,50 USD",
        "50 VES",
        "USD 97.99",
    ],
)
def test_any_other_price_is_held_back(text: str, briefs: Briefs) -> None:
    assert judge(briefs, text).problems == ("unknown_price",)


def test_a_sum_the_owner_wrote_beside_the_product_may_be_told(briefs: Briefs) -> None:
    card = company(products=(replace(PLAN, description="Incluye un bono de $20"), CHALLENGE))

    assert judge(briefs, "Incluye un bono de $20", card).problems == ()
    assert judge(briefs, "Incluye un bono de $30", card).problems == ("unknown_price",)


def test_without_a_catalogue_no_price_exists(briefs: Briefs) -> None:
    assert judge(briefs, "Cuesta $98", company(products=())).problems == ("unknown_price",)


def test_large_prices_are_read_with_their_separators(briefs: Briefs) -> None:
    card = company(products=(replace(PLAN, price=Decimal("120000.00"), currency="COP"),))

    for text in ("$120.000", "120.000 COP", "120,000.00 pesos", "120 mil pesos"):
        assert judge(briefs, f"Cuesta {text}", card).problems == ()
    assert judge(briefs, "Cuesta 12.000 pesos", card).problems == ("unknown_price",)


def test_a_discount_must_be_the_owners(briefs: Briefs) -> None:
    card = company(brand_personality="Das 10% de descuento a quien vuelve.")

    assert judge(briefs, "Tienes 10 % de descuento", card).problems == ()
    assert judge(briefs, "Tienes 20% de descuento", card).problems == ("unknown_discount",)
    assert judge(briefs, "Un descuento del 10%").problems == ("unknown_discount",)


def test_our_rules_and_the_canary_stay_inside(briefs: Briefs, prompts: Prompts) -> None:
    canary = briefs.opening(company()).canary
    quoted = "Mis reglas: los únicos precios que existen son los del CATÁLOGO, escríbelos así."

    assert judge(briefs, f"Mi código es {canary.upper()}").problems == ("leak",)
    assert judge(briefs, quoted).problems == ("leak",)
    assert judge(briefs, "Los precios que existen están en el catálogo.").problems == ()


def test_what_we_cannot_see_or_hear_may_be_told(briefs: Briefs) -> None:
    told = (
        "No puedo ver imágenes ni documentos ni escuchar audios; si me lo cuentas por escrito, sí."
    )

    assert judge(briefs, told).problems == ()


def test_the_owners_text_may_be_used_but_not_recited(briefs: Briefs) -> None:
    facts = " ".join(f"palabra{number}" for number in range(30))
    card = company(system_prompt=facts)

    assert judge(briefs, " ".join(facts.split()[:12]), card).problems == ()
    assert judge(briefs, facts, card).problems == ("leak",)


@pytest.mark.parametrize("ref", ["P9", "", None, "Plan Personalizado"])
def test_a_link_for_an_unknown_product_is_held_back(ref: str | None, briefs: Briefs) -> None:
    said = answer("Claro", actions=[link_action(ref)])

    assert judge(briefs, said).problems == ("unknown_product",)


def test_one_product_a_turn_is_paid(briefs: Briefs) -> None:
    said = answer("Claro", actions=[link_action(" p2 "), link_action("P1")])

    assert product_to_pay(said, company()) == CHALLENGE
    assert product_to_pay(answer(), company()) is None


def test_a_text_that_was_only_a_link_says_nothing(briefs: Briefs) -> None:
    assert judge(briefs, "https://evil.test/x").problems == ("no_text",)
    assert judge(briefs, "\u200b\u2066").problems == ("no_text",)


def test_a_long_text_ends_at_a_sentence(briefs: Briefs) -> None:
    verdict = judge(briefs, "Esta es una frase bonita. " * 200)

    assert len(verdict.text) <= TEXT_CHARACTERS
    assert verdict.text.endswith("bonita.")


def test_markdown_becomes_what_a_phone_shows(briefs: Briefs) -> None:
    assert judge(briefs, "## Plan\n**Incluye** todo").text == "Plan\n*Incluye* todo"


@pytest.mark.parametrize(
    ("now", "wanted", "allowed"),
    [
        (Stage.LEAD, Stage.QUALIFIED, Stage.QUALIFIED),
        (Stage.CHURNED, Stage.QUALIFIED, Stage.QUALIFIED),
        (Stage.LEAD, Stage.CUSTOMER, None),
        (Stage.LEAD, Stage.CHURNED, None),
        (Stage.QUALIFIED, Stage.LEAD, None),
        (Stage.CUSTOMER, Stage.LEAD, None),
        (Stage.LEAD, Stage.LEAD, None),
    ],
)
def test_only_a_sale_makes_a_customer(now: Stage, wanted: Stage, allowed: Stage | None) -> None:
    assert allowed_stage(now, wanted) == allowed


_ODD = st.lists(
    st.one_of(
        st.text(max_size=10),
        st.sampled_from(list("./:@$%€<>()[]*-#0123456789 \n\u200b\u200d\u2066\ufe0f｡．／：")),
        st.sampled_from(["https://", "www.", ".com", "$9", "98 USD", "<m-", "P1", "[a]("]),
    ),
    max_size=60,
).map("".join)


_BRIEFS = Briefs(load_prompts())


@given(text=_ODD)
def test_whatever_the_model_writes_the_guard_ends_with_clean_text(text: str) -> None:
    card = company()
    briefs = _BRIEFS
    said = Answer.model_construct(**{**answer().model_dump(), "text": text})

    verdict = inspect(said, card, briefs.opening(card))

    assert len(verdict.text) <= TEXT_CHARACTERS
    assert without_links(verdict.text) == verdict.text
    verdict.text.encode()
    assert not re.search("https?://|[\x00\u200b\u202e\u2066]", verdict.text)
    assert verdict.text or "no_text" in verdict.problems
