"""What a process knows of its own troubles: a sentence each, and nothing while all is well."""

from pathlib import Path
from uuid import uuid4

import pytest

from bot.conditions import Condition, disk_low, models_away, nothing_taken_in
from bot.degraded import Mode
from bot.disk import Disk
from bot.whatsapp.journal import Refusal


def said(condition: Condition) -> list[tuple[Mode, str]]:
    return [(one.mode, one.sentence) for one in condition(lambda company: f"company {company}")]


@pytest.mark.parametrize(
    ("states", "away"),
    [
        ({}, False),
        ({"main": "closed"}, False),
        ({"main": "open", "spare": "closed"}, False),
        ({"main": "open", "spare": "probing"}, True),
    ],
)
def test_models_are_away_when_all_of_them_rest(states: dict[str, str], away: bool) -> None:
    found = said(models_away(lambda: states))

    assert [mode for mode, _ in found] == [Mode.LLM] * away


def test_a_nearly_full_disk_is_said_with_its_room_until_it_has_clearly_more() -> None:
    free = {"a": 900, "b": 5000}
    disk = Disk((Path("a"), Path("b")), low_mb=1000, free_bytes=lambda one: free[str(one)] * 2**20)
    condition = disk_low(disk)

    [(mode, sentence)] = said(condition)
    free["a"] = 1100  # More than the bound, but it wavers.
    wavering = said(condition)
    free["a"] = 1300
    well = said(condition)
    free["a"] = 1100

    assert (mode, "900 MB are free for a" in sentence) == (Mode.DISK, True)
    assert ([mode for mode, _ in wavering], well, said(condition)) == ([Mode.DISK], [], [])


def test_a_folder_that_is_not_there_yet_is_not_full(tmp_path: Path) -> None:
    assert Disk([tmp_path / "none"], low_mb=2**20).low() is None
    assert Disk([tmp_path], low_mb=2**40).low() is not None
    assert Disk([tmp_path], low_mb=0).low() is None


def test_whose_messages_stay_with_whatsapp_is_said_by_why() -> None:
    one, two, three = uuid4(), uuid4(), uuid4()
    found = {one: Refusal.DISK, two: Refusal.BOUND, three: Refusal.DISK}

    full, bound = said(nothing_taken_in(lambda: found))

    assert full[0] is bound[0] is Mode.JOURNAL
    assert full[1].startswith("the disk is full: new messages of company ")
    assert all(str(each) in full[1] for each in (one, three))
    assert f"the journal of company {two} holds all it may" in bound[1]
    assert said(nothing_taken_in(dict)) == []
