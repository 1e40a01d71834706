"""When a target is left alone, and how it comes back."""

from bot.llm.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(5):
        fail(breaker)
    return breaker


def fail(breaker: Breaker) -> None:
    permit = breaker.enter()
    assert permit is not None
    breaker.failed(permit)


def test_five_faults_in_a_row_open_it() -> None:
    breaker = Breaker(Clock())

    for _ in range(4):
        fail(breaker)
    assert breaker.enter() is not None
    fail(breaker)

    assert breaker.enter() is None
    assert breaker.state == "open"


def test_an_answer_between_faults_starts_the_count_again() -> None:
    breaker = Breaker(Clock())

    for _ in range(4):
        fail(breaker)
    permit = breaker.enter()
    assert permit is not None
    breaker.succeeded(permit)
    for _ in range(4):
        fail(breaker)

    assert breaker.state == "closed"


def test_after_the_pause_one_request_probes_and_an_answer_closes_it() -> None:
    clock = Clock()
    breaker = opened(clock)

    clock.now += 9.9
    assert breaker.enter() is None
    clock.now += 0.2
    probe = breaker.enter()
    assert probe is not None
    assert breaker.enter() is None
    breaker.succeeded(probe)

    assert breaker.state == "closed"
    assert breaker.enter() is not None


def test_a_failed_probe_doubles_the_pause_up_to_five_minutes() -> None:
    clock = Clock()
    breaker = opened(clock)

    for pause in (10, 20, 40, 80, 160, 300, 300):
        clock.now += pause - 0.1
        assert breaker.enter() is None
        clock.now += 0.1
        fail(breaker)


def test_a_probe_that_was_cancelled_lets_another_one_in() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 10

    probe = breaker.enter()
    assert probe is not None
    breaker.left(probe)

    assert breaker.enter() is not None


def test_stragglers_neither_close_it_nor_lengthen_its_pause() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    early = [breaker.enter() for _ in range(7)]
    permits = [permit for permit in early if permit is not None]

    for permit in permits[:6]:
        breaker.failed(permit)
    breaker.succeeded(permits[6])

    assert breaker.state == "open"
    clock.now += 10
    assert breaker.enter() is not None
