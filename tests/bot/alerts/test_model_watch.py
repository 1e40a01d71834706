"""When the language models count as down."""

from bot.alerts.model_watch import ModelWatch

BOTH = ("first", "second")


def watch(*calls: tuple[str, str]) -> ModelWatch:
    watch = ModelWatch()
    for target, outcome in calls:
        watch.heard(target, outcome, 1.0, 0)
    return watch


def test_nothing_is_known_before_a_call_and_without_targets() -> None:
    assert watch().news(BOTH) is None
    assert watch(("offline", "answered")).news(()) is None


def test_one_that_fails_is_not_all_of_them() -> None:
    assert watch(("first", "timeout")).news(BOTH) is None
    assert watch(("first", "timeout"), ("second", "answered")).news(BOTH) is False


def test_all_that_fail_are_down_and_one_that_answers_is_up_again() -> None:
    models = watch(("first", "timeout"), ("second", "auth"))
    assert models.news(BOTH) is True

    models.told(down=True)
    assert models.news(BOTH) is None

    models.heard("second", "answered", 1.0, 5)
    assert models.news(BOTH) is False


def test_the_built_in_rules_are_no_language_model() -> None:
    assert watch(("first", "timeout"), ("offline", "answered")).news(("first",)) is True


def test_a_request_that_is_refused_or_skipped_says_nothing_of_its_target() -> None:
    models = watch(("first", "answered"), ("first", "refused"), ("first", "skipped"))

    assert models.news(("first",)) is False
