from datetime import UTC, datetime, timedelta

import pytest

from bot.whatsapp.patience import Patience, Starts
from bot.whatsapp.states import MEANINGS, Reason, State, WayOut

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PATIENCE = Patience()


def pause(state: State, attempt: int = 0) -> float | None:
    return PATIENCE.before_next(state, attempt, NOW)


@pytest.mark.parametrize("reason", list(Reason))
def test_only_what_a_person_must_end_is_not_tried_again(reason: Reason) -> None:
    waits = MEANINGS[reason].way_out in (WayOut.OWNER_PAIRS, WayOut.OPERATOR_ACTS)

    assert (pause(State(reason)) is None) == waits


def test_a_fault_is_tried_again_ever_more_rarely_but_at_least_every_five_minutes() -> None:
    pauses = [pause(State(Reason.FAULT), attempt) or 0 for attempt in range(30)]

    assert 1.5 <= pauses[0] <= 2
    assert pauses[3] > 2 * pauses[1]
    assert 225 <= pauses[-1] <= 300


def test_a_session_that_another_machine_holds_is_not_fought_over() -> None:
    assert [pause(State(Reason.REPLACED), attempt) for attempt in (0, 9)] == [900, 900]


def test_a_suspension_is_waited_out() -> None:
    wait = pause(State(Reason.BANNED_UNTIL, until=NOW + timedelta(hours=5)))

    assert wait is not None
    assert 5 * 3600 < wait <= 5 * 3600 + 2


@pytest.mark.parametrize(
    ("until", "least"), [(NOW, 60), (NOW - timedelta(days=1), 60), (None, 3600)]
)
def test_a_suspension_without_a_useful_end_is_not_knocked_at(
    until: datetime | None, least: float
) -> None:
    wait = pause(State(Reason.BANNED_UNTIL, until=until))

    assert wait is not None
    assert least <= wait <= least + 2


def test_an_hour_that_has_seen_its_starts_is_over_an_hour_later() -> None:
    patience = Patience(hourly=3)
    starts = Starts(patience)
    planned = 2.0
    for second in (0.0, 10.0, 20.0):
        assert starts.pause(planned, second) == planned
        starts.note(second)

    assert starts.pause(planned, 30.0) > patience.longest / 2
    assert starts.pause(planned, 3599.0) > patience.longest / 2
    assert starts.pause(planned, 3601.0) == planned
