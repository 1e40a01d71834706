"""Telephone numbers: as people write them, and as phones copy them."""

import pytest

from bot.pairing.phone_numbers import digits_of


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("+52 1 55 1234 5678", "5215512345678"),
        ("\u202a+52 1 55 1234 5678\u202c", "5215512345678"),
        ("\u2068+52\u00a01\u202f55\u200b1234\ufeff5678\u2069", "5215512345678"),
        ("+1 305\u2011555\u20110100", "13055550100"),
        ("+1 305\u2013555\u20130100", "13055550100"),
        ("+1 305\u2212555\u20120100", "13055550100"),
        ("00 44 20 7946 0958", "442079460958"),
        ("+44 (0)20 7946 0958", "442079460958"),
        ("+44 (0) 20 7946 0958", "442079460958"),
        ("0044 ( 0 )20 7946 0958", "442079460958"),
        ("44 (0)20 7946 0958", "442079460958"),
        ("+1 (305) 555-0100", "13055550100"),
    ],
)
def test_a_number_is_read_as_it_was_meant(written: str, digits: str) -> None:
    assert digits_of(written) == digits


@pytest.mark.parametrize(
    "written",
    [
        "",
        "\u202a\u202c",
        "(0)",
        "(0)20 7946 0958",
        "0551234567",
        "+52 155 1234 567x",
        "１２３４５６７",
    ],
)
def test_what_is_no_whole_number_is_none(written: str) -> None:
    assert digits_of(written) is None
