"""What owners read."""

import string
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from bot.alerts.composing import AGAIN, BEGUN, ENDED, TEST_ALERT, compose
from bot.alerts.kinds import LINE_DOWN, TRAITS, Kind
from bot.alerts.words import TEST, WORDS
from bot.config import Settings
from bot.whatsapp.reasons import Reason
from bot.whatsapp.states import State
from models.alert_settings import Addressee

COMPANY = Addressee(
    company_id=UUID(int=7),
    slug="acme",
    name="Acme",
    active=True,
    owner_email="ana@acme.test",
    device="",
    language="es",
    time_zone="America/Caracas",
    email=None,
    webhook=None,
    whatsapp=None,
    events=None,
)
FACTS: dict[str, Any] = {
    "reason": "logged_out",
    "name": "Beto",
    "phone": "+584125550100",
    "until": "2026-03-01T13:30:00+00:00",
    "product": {"id": "p", "name": "Plan de Ana"},
    "count": 12,
}
LINK = "https://bot.test/pair/token"


def told(
    kind: Kind,
    type_: str = BEGUN,
    *,
    language: str = "es",
    link: str | None = None,
    **facts: Any,
) -> str:
    payload = {
        "kind": kind.value,
        "facts": FACTS | facts,
        "began": "2026-03-01T02:15:00+00:00",
        "ended": None,
        "at": "2026-03-01T12:30:00+00:00",
    }
    company = replace(COMPANY, language=language)
    return compose(type_, payload, company, Settings(), lambda _: link).text


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("kind", Kind)
def test_every_kind_says_what_is_so_what_it_means_and_what_to_do(kind: Kind, language: str) -> None:
    words = WORDS[kind, language]
    assert words.title
    assert words.what
    assert words.means

    lines = told(kind, language=language).splitlines()

    assert len(lines) >= 2
    assert all(line and "{" not in line for line in lines)
    assert "None" not in "".join(lines)


@pytest.mark.parametrize("kind", Kind)
def test_both_languages_say_the_same_things(kind: Kind) -> None:
    def slots(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    spanish, english = WORDS[kind, "es"], WORDS[kind, "en"]

    for part in ("title", "what", "means", "next", "over"):
        es, en = getattr(spanish, part), getattr(english, part)
        assert (slots(es), bool(es)) == (slots(en), bool(en))


@pytest.mark.parametrize("kind", LINE_DOWN)
@pytest.mark.parametrize("language", ["es", "en"])
def test_a_state_of_whatsapp_is_told_in_its_own_sentence(kind: Kind, language: str) -> None:
    text = told(kind, language=language, reason="replaced_elsewhere", detail="")

    assert State(Reason.REPLACED).sentence(language) in text


@pytest.mark.parametrize(
    ("language", "end"),
    [("es", "Termina el 2026-03-01 a las 09:30."), ("en", "It ends at 09:30 on 2026-03-01.")],
)
@pytest.mark.parametrize("type_", [BEGUN, AGAIN])
def test_a_suspension_ends_by_the_clocks_of_the_company_and_asks_nobody_to_pair(
    type_: str, language: str, end: str
) -> None:
    def text(**facts: Any) -> str:
        suspended: dict[str, Any] = {"reason": "banned_until", "detail": ""}
        return told(Kind.BANNED, type_, language=language, link=LINK, **suspended, **facts)

    assert f"{State(Reason.BANNED_UNTIL).sentence(language)} {end}" in text()
    assert "UTC" not in text()
    assert end[:7] not in text(until=None)
    assert not any(word in text() for word in (LINK, "lyrox pair"))


@pytest.mark.parametrize("kind", [kind for kind in Kind if TRAITS[kind].pairing])
def test_who_has_to_pair_gets_a_link_where_there_is_a_page_else_the_command(kind: Kind) -> None:
    assert LINK in told(kind, link=LINK).splitlines()
    assert "`lyrox pair acme`" not in told(kind, link=LINK)
    assert told(kind).endswith("`lyrox pair acme`")


@pytest.mark.parametrize("type_", [BEGUN, AGAIN])
@pytest.mark.parametrize(
    ("language", "good", "afterwards"),
    [
        ("es", "El enlace vale 30 minutos.", "pide otro"),
        ("en", "The link is good for 30 minutes.", "ask whoever runs LYROX"),
    ],
)
def test_who_reads_it_late_learns_why_the_link_is_dead_and_what_to_do(
    language: str, good: str, afterwards: str, type_: str
) -> None:
    after = told(Kind.BANNED, type_, language=language, link=LINK).partition(LINK)[2]

    assert good in after
    assert afterwards in after
    assert "`lyrox pair acme --link`" in after
    assert " 24 ho" in after


@pytest.mark.parametrize("kind", [kind for kind in Kind if not TRAITS[kind].pairing])
def test_who_has_not_to_pair_gets_no_link(kind: Kind) -> None:
    assert LINK not in told(kind, link=LINK)


def test_times_are_by_the_clocks_of_the_company() -> None:
    assert "hasta las 09:30" in told(Kind.HAND_OVER)
    assert "Sigue así desde el 2026-02-28 22:15." in told(Kind.LOGGED_OUT, AGAIN)


@pytest.mark.parametrize(
    ("language", "until", "said"),
    [
        ("es", "2026-03-02T03:59:00+00:00", "calla en ese chat hasta las 23:59."),
        ("en", "2026-03-02T03:59:00+00:00", "silent in that chat until 23:59."),
        ("es", "2026-03-02T04:00:00+00:00", "hasta el 2026-03-02 a las 00:00."),
        ("es", "2026-03-03T13:30:00+00:00", "hasta el 2026-03-03 a las 09:30."),
        ("en", "2026-03-03T13:30:00+00:00", "until 09:30 on 2026-03-03."),
    ],
)
def test_a_pause_that_ends_on_another_day_of_the_company_is_told_with_the_day(
    language: str, until: str, said: str
) -> None:
    assert said in told(Kind.HAND_OVER, language=language, until=until)


def test_the_end_is_told_in_one_sentence() -> None:
    assert told(Kind.LOGGED_OUT, ENDED) == (
        "WhatsApp está conectado otra vez y tus clientes reciben respuesta."
    )
    assert told(Kind.HAND_OVER, ENDED).startswith("Nadie contestó a Beto (+584125550100)")


@pytest.mark.parametrize(
    ("facts", "who"),
    [
        ({}, "Beto (+584125550100)"),
        ({"name": None}, "+584125550100"),
        ({"phone": "lid:99988877"}, "Beto"),
        ({"phone": "lid:99988877", "name": None}, "Un cliente"),
        ({"name": "B{slug}\n\x1b[2J"}, "B{slug} [2J (+584125550100)"),
    ],
)
def test_a_customer_is_called_by_what_is_known_and_nothing_of_it_is_obeyed(
    facts: dict[str, Any], who: str
) -> None:
    assert told(Kind.HAND_OVER, **facts).startswith(f"{who} espera")


@pytest.mark.parametrize(
    ("language", "begins", "over"),
    [
        ("es", "Un cliente espera", "Nadie contestó a un cliente;"),
        ("en", "A customer waits", "Nobody answered a customer;"),
    ],
)
def test_a_customer_without_a_name_is_written_as_its_place_in_the_sentence_asks(
    language: str, begins: str, over: str
) -> None:
    nameless: dict[str, Any] = {"phone": "lid:99988877", "name": None}

    assert told(Kind.HAND_OVER, language=language, **nameless).startswith(begins)
    assert told(Kind.HAND_OVER, ENDED, language=language, **nameless).startswith(over)


@pytest.mark.parametrize("type_", [BEGUN, ENDED])
def test_a_name_is_written_as_its_owner_writes_it(type_: str) -> None:
    assert "ana de las Flores (" in told(Kind.HAND_OVER, type_, name="ana de las Flores")


def test_the_command_for_a_missing_link_can_be_pasted() -> None:
    product = {"id": "5d0c8b2e-0b0a-4d4f-9a52-0a6f6f3f2a11", "name": "Plan `de` " + 20 * "Ana "}

    text = told(Kind.NO_PAYMENT_LINK, product=product)

    assert f"`lyrox product set acme {product['id']} --link URL`" in text
    assert "quiso comprar Plan `de` Ana" in text


@pytest.mark.parametrize("language", ["es", "en"])
def test_a_test_says_that_it_is_one(language: str) -> None:
    company = replace(COMPANY, language=language)

    composed = compose(TEST_ALERT, {}, company, Settings(), lambda _: None)

    assert composed.title == TEST[language][0]
    assert "Acme" in composed.text
