"""The crowd's verdict and the table see what they are there to see."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.faults.crowd import Crowd
from tests.faults.person import FOREIGN, Person
from tests.faults.tally import Row, add, markdown, put, read
from tests.system.phone import Phones


@pytest.fixture
def person() -> Person:
    """Somebody who wrote three messages, one second apart."""
    return Person(uuid4(), "52130", written={1: 1.0, 2: 2.0, 3: 3.0})


def test_what_nobody_answered_is_lost_unless_a_send_counts_as_sent(tmp_path: Path) -> None:
    crowd = Crowd(Phones(tmp_path), {uuid4(): "Taller"}, each=1)
    (one,) = crowd.people
    for number in (1, 2, 3):
        one.written[number] = float(number)
    one.reads(4.0, f"pedido {one.phone} 1")
    before = crowd.row("a fault").lost

    crowd.takes_as_sent([f"pedido {one.phone} 2"])

    assert (before, crowd.row("a fault").lost) == (2, 1)


def test_an_answer_that_comes_again_is_doubled(person: Person) -> None:
    for text in ("pedido 52130 1, pedido 52130 2", "pedido 52130 2"):
        person.reads(4.0, text)

    assert (person.doubled(), person.disordered(), person.wrong()) == (1, 0, 0)
    assert person.waiting() == [3]


def test_an_answer_behind_a_later_ones_is_disordered(person: Person) -> None:
    for text in ("pedido 52130 2", "pedido 52130 1"):
        person.reads(4.0, text)

    assert (person.doubled(), person.disordered(), person.wrong()) == (0, 1, 0)


def test_what_is_another_customers_or_companys_is_wrong(person: Person) -> None:
    for text in ("pedido 99 1", FOREIGN, "pedido 52130 1"):
        person.reads(4.0, text)

    assert person.wrong() == 2


def test_who_was_told_to_wait_has_been_told_at_that_time(person: Person) -> None:
    person.reads(5.0, "te escribo en unos minutos")
    person.reads(9.0, "pedido 52130 1, pedido 52130 2, pedido 52130 3")

    assert person.heard == {1: 5.0, 2: 5.0, 3: 5.0}
    assert person.answered == {1: 9.0, 2: 9.0, 3: 9.0}


def test_the_tries_of_one_fault_are_one_row(tmp_path: Path) -> None:
    table = tmp_path / "rows"
    for row in (Row("killed", lost=1, seconds=2.0), Row("slow"), Row("killed", seconds=3.0)):
        add(row, table)

    assert read(table) == [Row("killed", tries=2, lost=1, seconds=3.0), Row("slow")]
    assert markdown(read(table)).splitlines()[2:] == [
        "| killed | 2 | 1 | 0 | 0 | 0 | 0 | 3.0 |",
        "| slow | 1 | 0 | 0 | 0 | 0 | 0 | – |",
    ]


def test_a_table_takes_the_place_of_the_one_before_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<a>\nold\n<z>\nafter\n")

    put("new", page, "<a>", "<z>")

    assert page.read_text() == "before\n<a>\nnew\n<z>\nafter\n"
    with pytest.raises(ValueError, match="no room"):
        put("new", page, "<b>", "<z>")
