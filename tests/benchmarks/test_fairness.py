"""The benchmark of fairness runs, and its table says what was measured."""

import pytest

from benchmarks.fairness import Figures, Plan, report, run
from tests.databases import ROOT

PLAN = Plan(seconds=30, flood=20, companies=8, each=0.5)


def test_the_table_compares_the_others_with_themselves() -> None:
    figures = Figures([1.0, 1.0, 1.2], [1.0, 1.2, 1.8], [5.0, 9.0], flooded_with=70)

    lines = report(PLAN, figures, ["--flood", "20"], "a machine").splitlines()

    assert lines[0].startswith("`python -m benchmarks.fairness --flood 20`")
    assert "| the others, alone | 3 | 1000 | 1196 |" in lines
    assert "| the others, during the flood | 3 | 1200 | 1788 |" in lines
    assert "| the flooded company | 2 | 7000 | 8960 |" in lines
    assert lines[-1].endswith("p99 is 1.49 times what it is without (at most 2).")


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.usefixtures("stores")
async def test_a_tiny_run_lets_the_others_be_answered(slot: int) -> None:
    plan = Plan(
        seconds=3.0,
        flood=8.0,
        companies=2,
        each=1.0,
        model_seconds=0.5,
        fast=True,
        name=f"bench_fairness_{slot}",
        redis_database=slot,
    )

    figures = await run(plan, ROOT)

    assert len(figures.without) == len(figures.during) > 0
    assert figures.flooded
