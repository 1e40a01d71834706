"""What was measured of the two pipelines, and the table that says so."""

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.runs import line
from benchmarks.trips import Counted


@dataclass(frozen=True, slots=True)
class Phase:
    """One rate, one pipeline."""

    rate: float
    model_seconds: float
    messages: int
    cpu_seconds: float
    seconds: tuple[float, ...]
    """From the pipeline's call to the wire, message by message."""
    whole: tuple[float, ...]
    """The same from the load generator on, so with the wait in front of a busy process."""
    unanswered: int
    unasked: int

    @property
    def cpu_ms(self) -> float:
        """CPU of the measured process a message."""
        return 1000 * self.cpu_seconds / max(len(self.seconds), 1)

    @property
    def per_core(self) -> float:
        """How many messages one second of CPU carries."""
        return 1000 / self.cpu_ms

    def added_ms(self, share: float, *, whole: bool = False) -> float:
        """The quantile *share* of the time beyond the model's own."""
        ordered = sorted(self.whole if whole else self.seconds)
        place = min(int(share * len(ordered)), len(ordered) - 1)
        return 1000 * (ordered[place] - self.model_seconds) if ordered else float("nan")


@dataclass
class Figures:
    """One pipeline's phases by rate, and its lone messages: first a cold context, then a warm."""

    phases: list[Phase] = field(default_factory=list)
    cold: list[Counted] = field(default_factory=list)
    warm: list[Counted] = field(default_factory=list)

    @property
    def lone(self) -> list[Counted]:
        """All lone messages."""
        return [*self.cold, *self.warm]


Row = tuple[str, str, Callable[[Figures], str]]


def table(sides: Mapping[str, Figures]) -> str:
    """Markdown: a row a figure, a column a pipeline."""
    names = list(sides)
    lines = [line("", "target", *names), line("---", "---", *("---:" for _ in names))]
    for label, target, read in _rows(next(iter(sides.values()))):
        lines.append(line(label, target, *(read(sides[name]) for name in names)))
    return "\n".join(lines)


def _rows(first: Figures) -> list[Row]:
    rows: list[Row] = []
    for number, phase in enumerate(first.phases):
        at = f"at {phase.rate:g}/s"
        rows += _latency_rows(number, at, targeted=number == 0)
        rows += _cost_rows(number, at)
    for name, pick in (("cold", _cold), ("warm", _warm)):
        rows += [
            (f"round trips, {name} context", "≤ 14", _most(pick, lambda one: len(one.trips))),
            (f"waves, {name} context", "≤ 6", _most(pick, lambda one: one.waves)),
        ]
    return rows


def _latency_rows(number: int, at: str, *, targeted: bool) -> list[Row]:
    p50, p99 = ("≤ 15", "≤ 80") if targeted else ("", "")

    def added(share: float, *, whole: bool = False) -> Callable[[Figures], str]:
        return lambda f: f"{f.phases[number].added_ms(share, whole=whole):.1f}"

    return [
        (f"added latency p50, ms, {at}", p50, added(0.5)),
        (f"added latency p99, ms, {at}", p99, added(0.99)),
        (f"… from the load generator on, p50, ms, {at}", "", added(0.5, whole=True)),
        (f"… from the load generator on, p99, ms, {at}", "", added(0.99, whole=True)),
    ]


def _cost_rows(number: int, at: str) -> list[Row]:
    return [
        (f"CPU a message, ms, {at}", "≤ 10", lambda f: f"{f.phases[number].cpu_ms:.2f}"),
        (f"messages/s per core {at}", "≥ 100", lambda f: f"{f.phases[number].per_core:.0f}"),
        (f"messages {at}", "", lambda f: f"{len(f.phases[number].seconds)}"),
    ]


def notes(sides: Mapping[str, Figures]) -> list[str]:
    """What the table does not say by itself."""
    ours, naive = sides["LYROX"], sides["naive"]
    said = [
        f"At {mine.rate:g}/s a CPU second of ours carries {other.cpu_ms / mine.cpu_ms:.1f} times"
        " the naive pipeline's messages (target: 2)."
        for mine, other in zip(ours.phases, naive.phases, strict=True)
    ]
    for name, side in sides.items():
        if lost := sum(phase.unanswered for phase in side.phases):
            said.append(f"{name}: {lost} messages had no answer when the wait for them ended.")
        if more := sum(phase.unasked for phase in side.phases):
            said.append(f"{name}: {more} texts or messages did not pair up one to one.")
    return said


def machine() -> str:
    """Processor, number of cores, system, Python, and how busy it was with other things."""
    return (
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()},"
        f" Python {platform.python_version()}, load average before the run {os.getloadavg()[0]:.1f}"
    )


def _processor() -> str:
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2] for line in told.splitlines() if line.startswith("model name")]
    return names[0].strip() if names else platform.machine()


def _cold(figures: Figures) -> Sequence[Counted]:
    return figures.cold


def _warm(figures: Figures) -> Sequence[Counted]:
    return figures.warm


def _most(
    pick: Callable[[Figures], Sequence[Counted]], value: Callable[[Counted], int]
) -> Callable[[Figures], str]:
    """The median, and the most where that is another number."""

    def read(figures: Figures) -> str:
        values = [value(one) for one in pick(figures)]
        if not values:
            return "–"
        middle, most = statistics.median_high(values), max(values)
        return str(middle) if middle == most else f"{middle} (at most {most})"

    return read
