"""When the language models count as down, and how often that is noted."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from bot.alerts.amiss import RENEWED
from bot.alerts.model_watch import ModelWatch
from models.alerts import AlertDesk
from models.errors import RetryLater

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
BOTH = ("first", "second")


class Desk(AlertDesk):
    """Keeps what is noted of all companies."""

    def __init__(self) -> None:
        self.noted: list[tuple[Mapping[str, object], datetime]] = []
        self.away = False

    async def note_all(self, kind: str, data: Mapping[str, object], now: datetime) -> None:
        if self.away:
            raise RetryLater("away")
        assert kind == "llm"
        self.noted.append((data, now))


def watch(*calls: tuple[str, str]) -> ModelWatch:
    watch = ModelWatch()
    for target, outcome in calls:
        watch.heard(target, outcome, 1.0, 0)
    return watch


def test_nothing_is_known_before_a_call_and_without_targets() -> None:
    assert watch().all_fail(BOTH) is None
    assert watch(("offline", "answered")).all_fail(()) is None


def test_one_that_fails_is_not_all_of_them() -> None:
    assert watch(("first", "timeout")).all_fail(BOTH) is None
    assert watch(("first", "timeout"), ("second", "answered")).all_fail(BOTH) is False


def test_all_that_fail_are_down_and_one_that_answers_is_up_again() -> None:
    models = watch(("first", "timeout"), ("second", "auth"))
    assert models.all_fail(BOTH) is True

    models.heard("second", "answered", 1.0, 5)
    assert models.all_fail(BOTH) is False


def test_the_built_in_rules_are_no_language_model() -> None:
    assert watch(("first", "timeout"), ("offline", "answered")).all_fail(("first",)) is True


def test_a_request_that_is_refused_or_skipped_says_nothing_of_its_target() -> None:
    models = watch(("first", "answered"), ("first", "refused"), ("first", "skipped"))

    assert models.all_fail(("first",)) is False


BEGUN, STILL, UP = {"down": True}, {"down": True, "still": True}, {"down": False}


async def tell(models: ModelWatch, *fifths: int) -> list[tuple[Mapping[str, object], int]]:
    """What is noted of looks at these times, in fifths of RENEWED."""
    desk = Desk()
    for fifth in fifths:
        await models.tell(desk, ("first",), AT + fifth * RENEWED / 5)
    return [(data, 5 * (at - AT) // RENEWED) for data, at in desk.noted]


async def test_a_failure_is_noted_again_while_it_lasts_and_an_answer_only_once() -> None:
    models = watch(("first", "timeout"))

    assert await tell(models, 0, 1, 4, 5, 6, 9, 10) == [(BEGUN, 0), (STILL, 5), (STILL, 10)]
    models.heard("first", "answered", 1.0, 5)
    assert await tell(models, 11, 12, 30, 600) == [(UP, 11)]


async def test_a_call_that_fails_later_is_a_new_failure_at_most_once_in_the_same_time() -> None:
    models = watch(("first", "timeout"))
    await tell(models, 0)

    models.heard("first", "timeout", 1.0, 0)
    soon = await tell(models, 1, 5)
    models.heard("first", "timeout", 1.0, 0)
    later = await tell(models, 6, 7)

    assert (soon, later) == ([(STILL, 5)], [(BEGUN, 6)])


async def test_nothing_is_noted_of_what_nobody_called() -> None:
    desk = Desk()

    await watch().tell(desk, BOTH, AT)

    assert desk.noted == []


async def test_what_postgresql_did_not_take_is_noted_at_the_next_look() -> None:
    models, desk = watch(("first", "timeout")), Desk()
    desk.away = True
    with pytest.raises(RetryLater):
        await models.tell(desk, ("first",), AT)
    desk.away = False

    await models.tell(desk, ("first",), AT)

    assert desk.noted == [(BEGUN, AT)]
