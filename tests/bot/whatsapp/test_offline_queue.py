"""Nothing is sent before what came while we were away has been read."""

from bot.whatsapp.offline_queue import COMPLETED, CONNECTED, DISCONNECTED, OfflineQueue


class Line:
    """A queue on a clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.untaken = 0
        self.queue = OfflineQueue(lambda: self.now, lambda: self.untaken)

    def sees(self, *codes: int) -> bool:
        """Whether the queue counts as read after these events."""
        for code in codes:
            self.queue.follow(code)
        return self.queue.read

    def after(self, seconds: float) -> bool:
        """Whether it does so much later."""
        self.now += seconds
        return self.queue.read


def test_the_end_of_the_queue_may_be_told_before_or_after_the_login() -> None:
    before, after = Line(), Line()

    assert not before.sees(COMPLETED)
    assert before.sees(CONNECTED)
    assert not after.sees(CONNECTED)
    assert after.sees(COMPLETED)


def test_what_intake_has_not_got_is_waited_for_once() -> None:
    line = Line()
    line.untaken = 1

    assert not line.sees(CONNECTED, COMPLETED)
    line.untaken = 0
    assert line.sees()
    line.untaken = 1  # A message that came later.
    assert line.sees()


def test_each_new_line_has_a_queue_of_its_own() -> None:
    line = Line()

    assert line.sees(CONNECTED, COMPLETED)
    assert not line.sees(DISCONNECTED)
    assert not line.after(100)
    assert not line.sees(CONNECTED)
    assert line.sees(COMPLETED)


def test_a_line_that_was_replaced_without_a_word_has_one_too() -> None:
    told_before, told_after = Line(), Line()
    for line in (told_before, told_after):
        assert line.sees(CONNECTED, COMPLETED)

    assert told_before.sees(COMPLETED, CONNECTED)
    assert not told_after.sees(CONNECTED)
    assert told_after.sees(COMPLETED)


def test_an_end_that_is_never_told_is_taken_from_the_quiet() -> None:
    line = Line()

    assert not line.sees(CONNECTED)
    assert not line.after(9.9)
    line.queue.message()
    assert not line.after(9.9)
    assert line.after(0.2)


def test_a_line_that_is_never_quiet_is_waited_for_a_minute_at_most() -> None:
    line = Line()
    line.sees(CONNECTED)

    for _ in range(29):
        line.queue.message()
        assert not line.after(2.0)
    line.queue.message()
    assert line.after(2.0)
