"""Text from outside never breaks a store, and says the same afterwards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text import clean, cut, one_line, visible, words

ANY = st.text(st.characters(codec=None), max_size=300)


@given(ANY)
def test_clean_text_is_storable_and_cleaning_it_again_changes_nothing(text: str) -> None:
    kept = clean(text)

    kept.encode()
    assert "\0" not in kept
    assert clean(kept) == kept


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=300))
def test_ordinary_text_is_not_touched(text: str) -> None:
    assert clean(text) == text


def test_halves_of_an_emoji_are_joined_again() -> None:
    assert clean("hola \ud83d\ude00 \ud83d!") == "hola 😀 \ufffd!"


@given(ANY)
def test_no_reading_of_a_text_ever_fails(text: str) -> None:
    for read in (visible, words, lambda said: one_line(said, 20)):
        read(text).encode()


def test_marks_nobody_sees_are_dropped_and_emoji_stay_whole() -> None:
    assert visible("\u202eho\u200bla\u2066\x07 👨\u200d👩\u200d👧 ❤\ufe0f") == "hola 👨‍👩‍👧 ❤️"
    assert visible("uno\r\ndos\u2028tres") == "uno\ndos\ntres"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("¡STOP!", "stop"),
        ("  No me  escribas MÁS… ", "no me escribas mas"),
        ("ＡＬＴＡ", "alta"),
        ("👍", ""),
        ("ñandú", "nandu"),
        ("don't", "don t"),
    ],
)
def test_words_are_bare(text: str, read: str) -> None:
    assert words(text) == read


@given(text=st.text(max_size=400), most=st.integers(2, 100))
def test_cut_text_keeps_its_limit(text: str, most: int) -> None:
    assert len(cut(text, most)) <= most
    assert len(one_line(text, most)) <= most
    assert "\n" not in one_line(text, most)
