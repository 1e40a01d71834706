"""What was measured of sessions, and the two tables that say so."""

from collections.abc import Sequence
from dataclasses import dataclass, field

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
    "LYROX, of that (target)",
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
class Match:
    """Our bot and the bare one under the same load; *tuned* is the bare one on WAL files."""

    sessions: int
    customers: int
    ours: Load
    bare: Load
    tuned: Load

    def share(self, bare: Load) -> float:
        """Our messages/s as a part of a bare bot's."""
        return self.ours.per_second / bare.per_second if bare.per_second else 0.0

    @property
    def loads(self) -> dict[str, Load]:
        """All of them, by who they are."""
        return {"LYROX": self.ours, _BARE: self.bare, f"{_BARE}, WAL files": self.tuned}


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
        target = f" (≥ {SHARES[row.sessions]:g})" if row.sessions in SHARES else ""
        name = f"{row.sessions} x {row.customers}"
        shares = ("", f"{row.share(row.bare):.2f}{target}", f"{row.share(row.tuned):.2f}")
        for (who, load), share in zip(row.loads.items(), shares, strict=True):
            lines.append(_load_line(name, who, load, share))
    return lines


def _load_line(name: str, who: str, load: Load, share: str) -> str:
    cells = (f"{load.per_second:.0f}", share, f"{load.cpu_ms:.1f}")
    return line(name, who, *cells, f"{load.p50_ms:.0f}", f"{load.p99_ms:.0f}", f"{load.messages}")


def _losses(rows: Sequence[Match]) -> list[str]:
    return [
        f"- {row.sessions} x {row.customers}, {who}: {load.lost} messages had no reply in time,"
        f" {load.wrong} replies were wrong."
        for row in rows
        for who, load in row.loads.items()
        if load.lost or load.wrong
    ]
