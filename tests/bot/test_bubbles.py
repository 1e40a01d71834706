"""Long replies in a few bubbles, never cut where it would hurt."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.bubbles import LONG_CHARACTERS, bubbles

PARAGRAPH = "Te cuento con calma cómo es el plan y qué incluye. " * 5


def test_a_short_reply_is_one_bubble() -> None:
    text = "Hola.\n\n¿Qué necesitas?"

    assert bubbles(text, 3) == (text,)


def test_a_long_reply_is_parted_where_paragraphs_end() -> None:
    paragraphs = [f"{number}. {PARAGRAPH.strip()}" for number in range(3)]

    assert bubbles("\n\n".join(paragraphs), 3) == tuple(paragraphs)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_there_are_at_most_so_many_and_nothing_is_lost(most: int) -> None:
    text = "\n\n".join(f"{number}. {PARAGRAPH.strip()}" for number in range(7))

    said = bubbles(text, most)

    assert len(said) == most
    assert "\n\n".join(said) == text


def test_a_link_stays_with_its_product_and_price() -> None:
    payment = "Reto Mensual · 78.00 USD\nhttps://pay.test/reto"

    said = bubbles(f"{PARAGRAPH}\n\n{PARAGRAPH}\n\n{payment}", 3)

    assert len(said) > 1
    assert payment in said[-1]


def test_text_without_a_blank_line_stays_whole() -> None:
    text = "\n".join(f"• Plan {number} · {number}8.00 USD" for number in range(60))

    assert bubbles(text, 3) == (text,)


def test_a_last_word_is_no_bubble_of_its_own() -> None:
    said = bubbles(f"{PARAGRAPH}\n\n{PARAGRAPH}\n\n¿Te animas?", 3)

    assert said[-1].endswith("¿Te animas?")
    assert len(said[-1]) > len(PARAGRAPH)


@given(
    st.lists(st.text(st.sampled_from("ab.: \n\t"), max_size=300), max_size=8).map("\n\n".join),
    st.integers(1, 3),
)
def test_every_word_is_said_once_and_in_order(text: str, most: int) -> None:
    said = bubbles(text, most)

    assert len(said) <= most
    assert re.sub(r"\s+", "", "".join(said)) == re.sub(r"\s+", "", text)
    assert len(said) == 1 or len(text) > LONG_CHARACTERS
    assert all(part.strip() for part in said) or said == (text,)
