"""The comparison after a row of kills sees what it is there to see."""

import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.faults.books import Books
from tests.faults.crowd import Crowd
from tests.faults.kills import judged
from tests.faults.person import Person
from tests.faults.record import BEGIN, END, Kill, Record, save, table
from tests.faults.trial import Trial
from tests.system.phone import Phones

COMPANY = UUID("5d0c8b2e-0b0a-4d4f-9a52-0a6f6f3f2a11")
STRANGER = UUID("d7787c15-f66e-4c45-b729-50816cf0c70a")
PHONE = "5213000007000"
SOUND = Kill(7, 1, "any moment", client=False, messages=2)


def books(**changes: Any) -> Books:
    """Two messages and two answers, all well."""
    asked, answers = ["pedido 1", "pedido 2"], ["uno", "dos"]
    lines = [("customer", "pedido 1"), ("agent", "uno"), ("customer", "pedido 2"), ("agent", "dos")]
    well = Books(
        read=defaultdict(list, {PHONE: answers}),
        senders=defaultdict(list, {PHONE: [str(COMPANY)] * 2}),
        sent=defaultdict(list, {PHONE: answers}),
        unconfirmed=defaultdict(list),
        taken=defaultdict(list, {PHONE: asked}),
        history=defaultdict(list, {PHONE: lines}),
        counted={PHONE: (2, 2, 2)},
    )
    given: dict[str, Any] = {name: {PHONE: value} for name, value in changes.items()}
    return replace(well, **given)


@pytest.fixture
def person() -> Person:
    return Person(COMPANY, PHONE)


def test_books_that_agree_have_no_problem(person: Person) -> None:
    assert books().problems(person) == []


@pytest.mark.parametrize(
    "change",
    [
        {"read": ["uno"]},
        {"read": ["uno", "uno", "dos"]},
        {"read": ["dos", "uno"]},
        {"senders": [str(COMPANY), str(STRANGER)]},
        {"history": [("customer", "pedido 1"), ("agent", "uno"), ("agent", "dos")]},
        {"history": [("customer", "pedido 1"), ("customer", "pedido 2"), ("agent", "uno")]},
        {"counted": (3, 2, 2)},
        {"counted": (2, 3, 2)},
    ],
    ids=str,
)
def test_one_book_that_differs_is_a_problem(person: Person, change: dict[str, object]) -> None:
    assert len(books(**change).problems(person)) == 1


def test_what_counts_as_sent_in_the_window_may_be_missing_on_the_phone(person: Person) -> None:
    found = books(read=["uno"], unconfirmed=["dos"])

    assert found.problems(person) == []
    assert found.unsaid(PHONE) == ["dos"]


@pytest.mark.parametrize(("client", "found"), [(True, (1, 1)), (False, (2, 0))])
def test_a_message_without_an_answer_is_lost_unless_the_client_never_handed_it_over(
    tmp_path: Path, client: bool, found: tuple[int, int]
) -> None:
    crowd = Crowd(Phones(tmp_path), {COMPANY: "Panaderia"}, each=1)
    person = crowd.people[0]
    for _ in range(2):
        crowd.write(person)
    first = f"...pedido {person.phone} 1...".encode()
    trial = Trial(1, "any moment", crowd, died=time.monotonic(), journals=first, at_rest=True)
    trial.row = crowd.row("any moment")
    one = replace(books(), read=defaultdict(list), sent=defaultdict(list), counted={})

    kill = judged(trial, one, seed=7, client=client)

    assert (kill.lost, kill.untaken) == found
    assert not kill.sound


def test_a_run_goes_on_where_it_was_broken_off_and_an_older_one_is_put_aside(
    tmp_path: Path,
) -> None:
    record = Record(tmp_path / "faults" / "kills.jsonl")
    record.add([SOUND])
    record.add([replace(SOUND, number=2, first=1.5, problems=["ñ"])])

    assert [kill.number for kill in Record(tmp_path / "faults" / "kills.jsonl").read()] == [1, 2]
    record.begin_anew()
    assert record.read() == []
    assert (tmp_path / "faults" / "kills.old").exists()


def test_the_table_stands_where_the_document_has_room_for_it(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    broken = replace(SOUND, number=2, doubled=1, said=1, last=2.04)

    save([SOUND, broken], document)

    text = document.read_text(encoding="utf-8")
    assert "old" not in text
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "| any moment | 2 | 0 | 1 | 0 | 0 | 1 | 2.0 |" in text
    assert "Not as promised: kill 2 of seed 7 (any moment)." in text


def test_a_kill_after_which_somebody_waited_too_long_is_not_as_promised() -> None:
    late = replace(SOUND, last=8.1)

    assert replace(SOUND, last=8.0).sound
    assert not late.sound
    assert "kill 1 of seed 7 (any moment, 8.1 s until all were answered)." in table([SOUND, late])


def test_a_document_without_room_is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("nothing", encoding="utf-8")

    with pytest.raises(ValueError, match="no room"):
        save([SOUND], document)
    assert document.read_text(encoding="utf-8") == "nothing"
