"""When what can wait is told."""

from datetime import UTC, datetime

import pytest

from bot.alerts.quiet import after_quiet

NIGHT = "22:00-08:00"


def utc(clock: str, day: int = 2) -> datetime:
    hour, minute = clock.split(":")
    return datetime(2026, 3, day, int(hour), int(minute), tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ("21:59", utc("21:59")),
        ("22:00", utc("08:00", day=3)),
        ("23:59", utc("08:00", day=3)),
        ("00:00", utc("08:00")),
        ("07:59", utc("08:00")),
        ("08:00", utc("08:00")),
        ("12:00", utc("12:00")),
    ],
)
def test_what_falls_into_the_night_waits_for_the_morning(now: str, told: datetime) -> None:
    assert after_quiet(utc(now), NIGHT, "UTC") == told


@pytest.mark.parametrize(
    ("now", "told"), [("12:59", "12:59"), ("13:30", "15:00"), ("15:00", "15:00")]
)
def test_a_siesta_is_within_one_day(now: str, told: str) -> None:
    assert after_quiet(utc(now), "13:00-15:00", "UTC") == utc(told)


def test_the_clocks_are_those_of_the_company() -> None:
    in_caracas = utc("03:00")  # There it is 23:00 of the day before.

    assert after_quiet(in_caracas, NIGHT, "America/Caracas") == utc("12:00")
    assert after_quiet(in_caracas, NIGHT, "Asia/Tokyo") == in_caracas


def test_the_morning_comes_on_the_day_when_clocks_change_too() -> None:
    before_spring = datetime(2026, 3, 28, 22, 30, tzinfo=UTC)  # In Madrid 23:30, winter.

    told = after_quiet(before_spring, NIGHT, "Europe/Madrid")

    assert told == datetime(2026, 3, 29, 6, tzinfo=UTC)  # In Madrid 08:00, summer.


@pytest.mark.parametrize("hours", ["", "08:00-08:00"])
def test_without_quiet_hours_nothing_waits(hours: str) -> None:
    assert after_quiet(utc("03:00"), hours, "UTC") == utc("03:00")
