"""What was measured of sessions, and the two tables that say so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.runs import line

RSS_MIB, RSS_MIB_A_SESSION = 190.0, 1.2
COLD_START_SECONDS, COLD_START_SESSIONS = 20.0, 50
SHARES = {1: 0.6, 50: 0.35}
"""At least so much of the bare bot's messages/s, by the number of sessions."""

_BARE = "bare neonize echo bot"
_IDLE_HEAD = (
    "sessions",
    "RSS, MiB (target)",
    "threads",
    "files",
    "idle CPU, % of a core",
    "all connected after, s (target)",
    "stopped after, s",
)
_MATCH_HEAD = (
    "sessions x customers",
    "",
    "messages/s",
    "LYROX, of that (range; target)",
    "CPU a message, ms",
    "p50, ms",
    "p99, ms",
    "messages",
)


@dataclass(frozen=True, slots=True)
class Idle:
    """A daemon with so many sessions and nothing to do; seconds from exec and from SIGTERM."""

    sessions: int
    connected_seconds: float
    rss: float
    threads: int
    fds: int
    cpu_percent: float
    stop_seconds: float


@dataclass(frozen=True, slots=True)
class Load:
    """One bot under closed-loop load."""

    messages: int
    per_second: float
    cpu_ms: float
    p50_ms: float
    p99_ms: float
    lost: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Round:
    """Our bot and the bare one, one right after the other; *tuned* is the bare one on WAL files."""

    ours: Load
    bare: Load
    tuned: Load


@dataclass(frozen=True, slots=True)
class Match:
    """The bots under the same load, so many rounds; what is told of them is the middle one."""

    sessions: int
    customers: int
    rounds: Sequence[Round]

    def shares(self, bare: Callable[[Round], Load]) -> list[float]:
        """Our messages/s as a part of a bare bot's, in each round, the smallest first."""
        return sorted(
            one.ours.per_second / rival.per_second
            for one in self.rounds
            if (rival := bare(one)).per_second
        )

    @property
    def loads(self) -> dict[str, list[Load]]:
        """All of them, by who they are."""
        return {
            "LYROX": [one.ours for one in self.rounds],
            _BARE: [one.bare for one in self.rounds],
            f"{_BARE}, WAL files": [one.tuned for one in self.rounds],
        }


@dataclass
class SessionFigures:
    """Everything one run has measured."""

    idle: list[Idle] = field(default_factory=list)
    matches: list[Match] = field(default_factory=list)


def tables(figures: SessionFigures) -> str:
    """Both tables, as Markdown, and what they do not say by themselves."""
    parts = ["\n".join(_idle_lines(figures.idle)), "\n".join(_match_lines(figures.matches))]
    if said := _losses(figures.matches):
        parts.append("\n".join(said))
    return "\n\n".join(parts)


def _idle_lines(rows: Sequence[Idle]) -> list[str]:
    return [line(*_IDLE_HEAD), line(*("---:" for _ in _IDLE_HEAD)), *map(_idle_line, rows)]


def _idle_line(row: Idle) -> str:
    most = RSS_MIB + RSS_MIB_A_SESSION * row.sessions
    cold = f" (≤ {COLD_START_SECONDS:g})" if row.sessions == COLD_START_SESSIONS else ""
    return line(
        f"{row.sessions}",
        f"{row.rss:.0f} (≤ {most:.0f})",
        f"{row.threads}",
        f"{row.fds}",
        f"{row.cpu_percent:.1f}",
        f"{row.connected_seconds:.1f}{cold}",
        f"{row.stop_seconds:.1f}",
    )


def _match_lines(rows: Sequence[Match]) -> list[str]:
    lines = [line(*_MATCH_HEAD), line("---", "---", *("---:" for _ in _MATCH_HEAD[2:]))]
    for row in rows:
        target = f"; ≥ {SHARES[row.sessions]:g}" if row.sessions in SHARES else ""
        name = f"{row.sessions} x {row.customers}"
        shares = (
            "",
            _share(row.shares(lambda one: one.bare), target),
            _share(row.shares(lambda one: one.tuned)),
        )
        for (who, loads), share in zip(row.loads.items(), shares, strict=True):
            lines.append(_load_line(name, who, loads, share))
    return lines


def _share(found: Sequence[float], target: str = "") -> str:
    """The middle one, and in brackets the smallest and the largest."""
    if not found:
        return "0"
    return f"{median(found):.2f} ({found[0]:.2f} to {found[-1]:.2f}{target})"


def _load_line(name: str, who: str, loads: Sequence[Load], share: str) -> str:
    return line(
        name,
        who,
        f"{median(load.per_second for load in loads):.0f}",
        share,
        f"{median(load.cpu_ms for load in loads):.1f}",
        f"{median(load.p50_ms for load in loads):.0f}",
        f"{median(load.p99_ms for load in loads):.0f}",
        f"{sum(load.messages for load in loads)}",
    )


def _losses(rows: Sequence[Match]) -> list[str]:
    return [
        f"- {row.sessions} x {row.customers}, {who}: {load.lost} messages had no reply in time,"
        f" {load.wrong} replies were wrong."
        for row in rows
        for who, loads in row.loads.items()
        for load in loads
        if load.lost or load.wrong
    ]
