"""How often somebody may do something."""

from bot.pairing.budget import Budget


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_allowed_and_then_one_now_and_then() -> None:
    clock = Clock()
    budget = Budget(3, 10.0, clock=clock)

    assert [budget.spend("a") for _ in range(4)] == [0, 0, 0, 10]
    clock.now = 9.0
    assert budget.spend("a") == 1
    clock.now = 10.0
    assert [budget.spend("a"), budget.spend("a")] == [0, 10]
    clock.now = 1000.0
    assert [budget.spend("a") for _ in range(4)] == [0, 0, 0, 10]


def test_one_does_not_spend_what_is_anothers() -> None:
    budget = Budget(1, 10.0, clock=Clock())

    assert [budget.spend("a"), budget.spend("b"), budget.spend("a")] == [0, 0, 10]


def test_what_is_remembered_has_a_bound() -> None:
    budget = Budget(1, 10.0, clock=Clock())

    for number in range(20_000):
        budget.spend(number)

    assert len(budget._full) == 10_000
