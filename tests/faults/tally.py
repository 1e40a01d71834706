"""The table of what was broken and what became of it: one row a fault, added as it is found.

Rows are JSON lines in ``var/faults/table.jsonl``; ``python -m tests.faults.tally`` prints them
as a table, all tries of one fault in one row, and with ``--save`` puts it into docs/reliability.md.
"""

import fcntl
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TABLE = REPOSITORY / "var" / "faults" / "table.jsonl"
DOCUMENT = REPOSITORY / "docs" / "reliability.md"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
_HEAD = "| fault | tries | lost | doubled | disordered | wrong | unresolved | seconds to recover |"


@dataclass(frozen=True, slots=True)
class Row:
    """What became of some tries of one fault.

    ``wrong`` went to another person; ``unresolved`` are sends that stayed unconfirmed.
    ``seconds`` is the longest that an answer took once all was well again, None where nothing
    had to recover.
    """

    fault: str
    tries: int = 1
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    wrong: int = 0
    unresolved: int = 0
    seconds: float | None = None

    def with_more(self, other: "Row") -> "Row":
        """Both together."""
        waits = [one.seconds for one in (self, other) if one.seconds is not None]
        counts = ("tries", "lost", "doubled", "disordered", "wrong", "unresolved")
        summed = {name: getattr(self, name) + getattr(other, name) for name in counts}
        return Row(self.fault, **summed, seconds=max(waits, default=None))

    def line(self) -> str:
        """The row as the table shows it."""
        seconds = "–" if self.seconds is None else f"{self.seconds:.1f}"
        counts = (self.tries, self.lost, self.doubled, self.disordered, self.wrong)
        return "| " + " | ".join(map(str, (self.fault, *counts, self.unresolved, seconds))) + " |"


def add(row: Row, table: Path = TABLE) -> None:
    """Append a row; any number of processes may."""
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")


def read(table: Path = TABLE) -> list[Row]:
    """All rows so far, in the order of their first tries, those of one fault together."""
    rows: dict[str, Row] = {}
    lines = table.read_text(encoding="utf-8").splitlines() if table.exists() else []
    for line in lines:
        row = Row(**json.loads(line))
        rows[row.fault] = rows[row.fault].with_more(row) if row.fault in rows else row
    return list(rows.values())


def markdown(rows: Iterable[Row]) -> str:
    """The table as it stands in the documentation."""
    rule = "|---" + "|---:" * (_HEAD.count("|") - 2) + "|"
    return "\n".join((_HEAD, rule, *(row.line() for row in rows)))


def put(text: str, into: Path, begin: str, end: str) -> None:
    """Replace what *into* has between two marks. Raises ValueError where they are not there."""
    before, found, rest = into.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{into} has no room for the table: {begin} … {end}")
    into.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def main(words: Sequence[str]) -> None:
    """Print the table, and keep it where that is asked for."""
    text = markdown(read())
    sys.stdout.write(text + "\n")
    if "--save" in words:
        put(text, DOCUMENT, BEGIN, END)


if __name__ == "__main__":
    main(sys.argv[1:])
