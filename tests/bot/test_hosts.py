"""Judging by beats alone."""

from uuid import UUID, uuid4

from bot.hosts import Observer


class Clock:
    """A monotonic clock that moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def watch(observer: Observer, clock: Clock, beats: list[dict[UUID, int]]) -> list[list[UUID]]:
    """One look a second."""
    judged = []
    for seen in beats:
        judged.append(observer.judge(seen))
        clock.now += 1.0
    return judged


def test_a_host_whose_beat_stands_still_for_four_seconds_is_dead() -> None:
    clock, host = Clock(), uuid4()
    observer = Observer(clock=clock)

    judged = watch(observer, clock, [{host: 7}] * 6)

    assert judged == [[], [], [], [], [host], [host]]


def test_a_host_that_beats_lives() -> None:
    clock, host = Clock(), uuid4()

    judged = watch(Observer(clock=clock), clock, [{host: beat} for beat in range(20)])

    assert judged == [[]] * 20


def test_time_in_which_postgresql_did_not_answer_does_not_count() -> None:
    clock, host = Clock(), uuid4()
    observer = Observer(clock=clock)

    observer.judge({host: 7})
    clock.now += 60
    after_the_outage = observer.judge({host: 7})
    clock.now += 1

    assert after_the_outage == []
    assert observer.judge({host: 7}) == []
    assert observer.judge({host: 8}) == []
