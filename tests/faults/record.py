"""What became of each kill, a JSON line each: a long run goes on where it was broken off."""

import json
import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.faults.tally import Row, markdown, put

LATE_SECONDS = 8.0
"""Until all who had written before a death have an answer, with the restart and the reconnect."""
BEGIN, END = "<!-- kills: begin -->", "<!-- kills: end -->"


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill and what it did to those who wrote around it.

    *lost*: the client had handed the message over, and neither an answer nor a send that counts
    as sent is there. *untaken*: the client had it, and its callback had not returned. *said* and
    *unsaid* are sends that stayed unconfirmed, and whether they had arrived. Seconds count from the
    death: until another daemon is *ready*, until the *first* answer, until the *last* of those who
    waited.
    """

    seed: int
    number: int
    fault: str
    client: bool
    messages: int
    lost: int = 0
    untaken: int = 0
    doubled: int = 0
    disordered: int = 0
    wrong: int = 0
    said: int = 0
    unsaid: int = 0
    ready: float = 0.0
    first: float | None = None
    last: float = 0.0
    load: float | None = None
    """The machine's load at the end."""
    problems: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        counts = (self.lost, self.doubled, self.disordered, self.wrong)
        return not any(counts) and not self.problems and not self.is_late

    @property
    def is_late(self) -> bool:
        """Whether somebody waited longer for an answer than we promise."""
        return self.last > LATE_SECONDS

    def row(self) -> Row:
        """As the table counts it."""
        return Row(
            f"{self.fault} (real client)" if self.client else self.fault,
            lost=self.lost,
            doubled=self.doubled,
            disordered=self.disordered,
            wrong=self.wrong,
            unresolved=self.said + self.unsaid,
            seconds=self.last,
        )


class Record:
    """The file of all kills of all runs."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)

    def begin_anew(self) -> None:
        """Put the kills of former runs aside."""
        if self._file.exists():
            self._file.replace(self._file.with_suffix(".old"))

    def add(self, kills: Iterable[Kill]) -> None:
        """They are on the disk when this returns."""
        with self._file.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(k), ensure_ascii=False) + "\n" for k in kills)

    def read(self) -> list[Kill]:
        """All so far."""
        if not self._file.exists():
            return []
        lines = self._file.read_text(encoding="utf-8").splitlines()
        return [Kill(**json.loads(line)) for line in lines]


def table(kills: Sequence[Kill]) -> str:
    """All of them in a table, a fault a row, and what it does not say in words."""
    rows: dict[str, Row] = {}
    for kill in sorted(kills, key=lambda kill: (kill.client, kill.fault)):
        row = kill.row()
        rows[row.fault] = rows[row.fault].with_more(row) if row.fault in rows else row
    return f"{markdown(rows.values())}\n\n{_words(kills)}"


def _words(kills: Sequence[Kill]) -> str:
    said, unsaid = sum(kill.said for kill in kills), sum(kill.unsaid for kill in kills)
    client = sum(kill.client for kill in kills)
    firsts = [kill.first for kill in kills if kill.first is not None]
    lasts = [kill.last for kill in kills]
    words = (
        f"{len(kills)} kills, {client} of them through the real client, around"
        f" {sum(kill.messages for kill in kills)} messages. Of {said + unsaid} sends that stayed"
        f" unconfirmed {said} had arrived and {unsaid} had not; all count as sent, and none was"
        f" said again. Answers came again {_spread(firsts)} after the death; all who had waited"
        f" had theirs {_spread(lasts)} after it."
    )
    if loads := [kill.load for kill in kills if kill.load is not None]:
        words += (
            f" The machine's {os.cpu_count()} cores had a load of {statistics.median(loads):.0f}"
            f" (median, at {len(loads)} of the kills)."
        )
    if untaken := sum(kill.untaken for kill in kills):
        words += (
            f" {untaken} messages were with the client, acknowledged, when it died before its"
            " callback had returned: the first window of this page."
        )
    if broken := [kill for kill in kills if not kill.sound]:
        words += f" Not as promised: {', '.join(_named(kill) for kill in broken)}."
    return words


def _spread(seconds: Sequence[float]) -> str:
    if not seconds:
        return "never"
    ordered = sorted(seconds)
    high = ordered[len(ordered) * 95 // 100]
    middle = statistics.median(ordered)
    return f"{middle:.1f} s (median), {high:.1f} s (95 of 100) and {ordered[-1]:.1f} s (longest)"


def _named(kill: Kill) -> str:
    late = f", {kill.last:.1f} s until all were answered" if kill.is_late else ""
    return f"kill {kill.number} of seed {kill.seed} ({kill.fault}{late})"


def save(kills: Sequence[Kill], document: Path) -> None:
    """Put the table where *document* has room for it. Raises ValueError where it has none."""
    put(table(kills), document, BEGIN, END)
