"""What does not work as it should: named once when it begins, and once when it is over."""

import logging

import pytest

from bot.degraded import Degraded, Mode, Problem

REDIS = Problem(Mode.REDIS, "Redis does not answer")
MONGO = Problem(Mode.MONGO, "MongoDB does not answer")


def test_a_mode_is_logged_when_it_begins_and_ends_and_lasts_between(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    now = [100.0]
    degraded = Degraded(clock=lambda: now[0])

    degraded.see([REDIS])
    now[0] += 30
    degraded.see([REDIS, MONGO])

    assert (degraded.seconds(Mode.REDIS), degraded.seconds(Mode.MONGO)) == (30, 0)
    assert [degraded.holds(mode) for mode in (Mode.REDIS, Mode.MONGO, Mode.DISK)] == [
        *(True, True),
        False,
    ]
    degraded.see([MONGO])
    assert not degraded.holds(Mode.REDIS)
    assert caplog.messages == [REDIS.sentence, MONGO.sentence, "all is well again"]
