"""The benchmark of sessions runs, and its tables say what was measured."""

from pathlib import Path

import pytest

from benchmarks.runs import save
from benchmarks.session_bench import Plan
from benchmarks.session_figures import Idle, Load, Match, Round, SessionFigures, tables
from benchmarks.sessions import report, run
from tests.databases import ROOT


def load(per_second: float, **changes: int) -> Load:
    """A load in which everything went well, unless *changes* say otherwise."""
    return Load(
        messages=100, per_second=per_second, cpu_ms=5.25, p50_ms=20, p99_ms=40,
        lost=changes.get("lost", 0), wrong=changes.get("wrong", 0),
    )  # fmt: skip


def test_the_tables_hold_figures_beside_their_targets() -> None:
    idle = Idle(
        sessions=50, connected_seconds=6.24, rss=183.4, threads=64, fds=359,
        cpu_percent=2.3, stop_seconds=0.5,
    )  # fmt: skip
    rounds = [
        Round(ours=load(60, lost=2), bare=load(100), tuned=load(300)),
        Round(ours=load(50), bare=load(90), tuned=load(400)),
        Round(ours=load(70), bare=load(110), tuned=load(350)),
    ]
    match = Match(1, 20, rounds)

    text = tables(SessionFigures([idle], [match]))
    rest = "5.2 | 20 | 40 | 300 |"

    for line in (
        "| 50 | 183 (≤ 250) | 64 | 359 | 2.3 | 6.2 (≤ 20) | 0.5 |",
        f"| 1 x 20 | LYROX | 60 |  | {rest}",
        f"| 1 x 20 | bare neonize echo bot | 100 | 0.60 (0.56 to 0.64; ≥ 0.6) | {rest}",
        f"| 1 x 20 | bare neonize echo bot, WAL files | 350 | 0.20 (0.12 to 0.20) | {rest}",
    ):
        assert line in text.splitlines()
    assert "- 1 x 20, LYROX: 2 messages had no reply in time, 0 replies were wrong." in text


@pytest.mark.slow
@pytest.mark.whatsapp
@pytest.mark.timeout(180)
@pytest.mark.usefixtures("stores")
async def test_a_tiny_run_makes_the_tables(slot: int, tmp_path: Path) -> None:
    plan = Plan(
        sessions=(1, 2),
        messages=20,
        rounds=2,
        idle_seconds=0.5,
        settling_seconds=0.3,
        fast=True,
        loads={2: 2},
        name=f"bench_sessions_{slot}",
        redis_database=slot,
    )

    figures = await run(plan, ROOT)

    assert [row.sessions for row in figures.idle] == [1, 2]
    for row in figures.idle:
        assert 50 < row.rss < 400
        assert row.threads > row.sessions
        assert 0 < row.stop_seconds < row.connected_seconds
    (match,) = figures.matches
    assert len(match.rounds) == 2
    for one in [load for loads in match.loads.values() for load in loads]:
        assert (one.messages, one.lost, one.wrong) == (20, 0, 0)
        assert 0 < one.p50_ms <= one.p99_ms
        assert one.cpu_ms > 0
    document = tmp_path / "benchmarks.md"
    document.write_text("before\n<!-- sessions -->\nold\n<!-- /sessions -->\nafter\n", "utf-8")
    save("sessions", report(figures, ["--save"], "a machine"), document)
    saved = document.read_text("utf-8")
    assert tables(figures) in saved
    assert "old" not in saved
