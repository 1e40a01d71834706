"""The rate limit without Redis: the same windows, in one process."""

from bot import local_windows
from bot.local_windows import LocalWindows


class Clock:
    """Stands still until it is told to move."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def windows(clock: Clock, limit: int = 2) -> LocalWindows:
    return LocalWindows(limit=limit, seconds=60, clock=clock)


def test_a_window_ends_sixty_seconds_after_its_first_message() -> None:
    clock = Clock()
    here = windows(clock)
    first, second = here.count("a"), here.count("a")
    clock.now += 59
    third = here.count("a")
    clock.now += 1

    assert (first, second, third) == ((0, None), (0, 1060.0), (1, 1060.0))
    assert here.count("a") == (0, None)


def test_a_repetition_is_counted_back_and_gives_its_notice_back() -> None:
    here = windows(Clock(), limit=1)
    here.count("a")
    assert here.count("a")[0] == 1

    here.uncount("a", told=True)
    here.uncount("nobody", told=True)

    assert [here.count("a")[0] for _ in range(2)] == [1, 2]


def test_a_former_window_goes_on_and_both_count_together() -> None:
    clock = Clock()
    here = windows(clock, limit=3)
    here.count("lid")
    here.count("lid")
    clock.now += 20
    here.count("phone")

    assert here.follow("lid", "phone", told=False) == (0, 1080.0)
    assert here.follow("lid", "phone", told=False) == (0, 1080.0)
    assert [here.count("phone")[0] for _ in range(2)] == [1, 2]


def test_a_notice_that_was_given_under_the_former_phone_is_not_given_again() -> None:
    here = windows(Clock(), limit=1)
    here.count("lid")
    assert here.count("lid")[0] == 1

    here.count("phone")

    assert here.follow("lid", "phone", told=False)[0] == 2


def test_a_message_that_is_told_of_now_stays_the_one() -> None:
    here = windows(Clock(), limit=1)
    here.count("lid")
    here.count("phone")
    told = here.count("phone")[0]

    assert (told, here.follow("lid", "phone", told=True)[0]) == (1, 1)


def test_the_number_of_windows_is_bounded() -> None:
    here = windows(Clock(), limit=1)
    for number in range(local_windows.MOST_WINDOWS + 1):
        here.count(str(number))

    assert here.count("0") == (0, 1060.0)  # Forgotten, and begun anew.
    assert here.count(str(local_windows.MOST_WINDOWS))[0] == 1
