"""The road against a naive pipeline: latency, CPU, round trips and waves a message, in one run.

``make bench``, or ``python -m benchmarks.pipeline [--seconds 25 10] [--rates 20 100] [--save]``.
"""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bench import SIDES, Bench, Plan, say
from benchmarks.figures import Figures, machine, notes, table
from benchmarks.population import Population, settled
from benchmarks.processes import running
from benchmarks.runs import ROOT, alone, begin, heading, shown
from bot.embedded import services


async def run(plan: Plan, root: Path) -> dict[str, Figures]:
    """Measure both pipelines on fresh, equal stores; one run at a time under *root*."""
    with alone(root / f"pipeline{plan.suffix}.lock"):
        return await _run(plan, root)


async def _run(plan: Plan, root: Path) -> dict[str, Figures]:
    population = Population(plan.customers)
    places = dict(zip(plan.names.values(), plan.redis_databases, strict=True))
    figures = {}
    async with services(root, fast=plan.fast, progress=say) as servers:
        say(f"making {plan.customers} customers of {len(population.companies)} companies, twice…")
        async with settled(population, servers, places) as urls:
            with running(
                "benchmarks.language_model", "--seconds", str(plan.model_seconds)
            ) as model:
                model_url = model.hear()
                for side, kind in SIDES.items():
                    bench = Bench(plan, population, kind, plan.names[side], model_url)
                    figures[side] = await asyncio.to_thread(bench.measure, urls[plan.names[side]])
    return figures


def report(sides: dict[str, Figures], words: Sequence[str], place: str) -> str:
    """The table with what it needs to be understood and repeated."""
    return "\n".join(
        [
            heading("pipeline", words, place),
            "",
            table(sides),
            "",
            *(f"- {note}" for note in notes(sides)),
        ]
    )


def _plan(words: Sequence[str]) -> tuple[Plan, bool]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=__doc__)
    parser.add_argument("--rates", type=float, nargs="+", default=[20, 100], help="messages/s")
    parser.add_argument("--seconds", type=float, nargs="+", default=[25, 10], help="one a rate")
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--lone", type=int, default=2, help="counted customers, two messages each")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--fast", action="store_true", help="stores that never wait for the disk")
    parser.add_argument("--trace", action="store_true", help="show a lone message's round trips")
    parser.add_argument("--save", action="store_true", help="keep the table in docs/benchmarks.md")
    told = parser.parse_args(words)
    if len(told.rates) != len(told.seconds):
        parser.error("--rates and --seconds need as many values each")
    return Plan(
        customers=told.customers,
        rates=tuple(told.rates),
        seconds=tuple(told.seconds),
        lone=told.lone,
        seed=told.seed,
        fast=told.fast,
        trace=told.trace,
    ), told.save


def main(words: Sequence[str], root: Path = ROOT) -> str:
    """Measure, print the table, and return it."""
    plan, keep = _plan(words)
    place = machine()
    text = report(asyncio.run(run(plan, root)), words, place)
    return shown("pipeline", text, keep=keep)


if __name__ == "__main__":
    begin(main)
