"""What a phone would make a link of, and what only looks like one."""

import pytest

from handlers.links import without_links


@pytest.mark.parametrize(
    "link",
    [
        *("emilio.coach", "linktr.ee", "evil.top", "evil.click", "evil.vip", "tienda.lat"),
        *("foo.health", "Mitienda.Ve", "tienda.Ve", "Evil.Coach", "EVIL.TOP", "evil.com.ve"),
        *("24.fit", "360.coach", "21.com", "studio7.fit", "plan.8.am"),
        *("8.8.8.8", "255.1.2.3:80", "tienda.es", "tienda.la", "evil.so"),
    ],
)
def test_a_bare_link_is_found(link: str) -> None:
    assert without_links(f"Paga en {link}") == "Paga en "
    assert without_links(f"Paga en {link}, gracias") == "Paga en , gracias"
    assert without_links(f"Paga en {link}\nGracias") == "Paga en \nGracias"


@pytest.mark.parametrize(
    "text",
    [
        "La casa cuesta 1.200.000.000 PYG.",
        "Son 300.400.500.600 guaraníes",
        "Listo.Ve a descansar",
        "Fin.Me alegra mucho",
        "Listo.no hay problema",
        "Ok.si quieres",
        "Gracias.Top de la semana",
        "Son 8.3 puntos",
        "Te espero a las 8.am.",
        "Abrimos a las 7.30.am",
        "Abrimos de 7.30.AM a 10.Am",
        "1.de pie\n2.me dices\n3.es importante",
        "¿Descansaste?\n1.si\n2.no",
    ],
)
def test_numbers_and_sentences_are_no_links(text: str) -> None:
    assert without_links(text) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("genial.es un plan", "genial. es un plan"),
        ("listo.me escribes y seguimos", "listo. me escribes y seguimos"),
        ("claro.es fácil", "claro. es fácil"),
        ("gracias.me alegra mucho", "gracias. me alegra mucho"),
        ("listo.ve a descansar", "listo. ve a descansar"),
        ("gracias.de nada", "gracias. de nada"),
        ("etc.es decir, todo", "etc. es decir, todo"),
        ("genial.es", ""),
        ("Paga en tienda.es ahora", "Paga en  ahora"),
        ("otra.tienda.es un plan", " un plan"),
    ],
)
def test_a_missing_blank_is_set_and_the_words_are_kept(text: str, kept: str) -> None:
    assert without_links(text) == kept
