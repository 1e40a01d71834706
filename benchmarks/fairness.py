"""One company flooded, the others as ever: how much longer do their customers wait?

``python -m benchmarks.fairness [--seconds 30] [--flood 20] [--save]``: by default settings but for
the waits for quiet and pace, with a language model of 1.0 s. The companies share one process.
"""

import argparse
import asyncio
import itertools
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from benchmarks.arrivals import poisson
from benchmarks.bench import say
from benchmarks.figures import machine
from benchmarks.ours import attach, opened_road, settings_for
from benchmarks.processes import running
from benchmarks.runs import ROOT, alone, begin, heading, line, shown
from benchmarks.tenants import Tenants, tenants
from bot.embedded import services
from bot.road import Road
from models.values import Channel, InboundMessage, Sender

MOST_TIMES = 2.0
"""The 99th percentile of the others may be so many times what it is without the flood."""
DRAIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run does; *flood* and *each* are messages a second of a company."""

    seconds: float
    flood: float
    companies: int
    each: float
    model_seconds: float = 1.0
    fast: bool = False
    name: str = "bench_fairness"
    redis_database: int = 5


@dataclass
class Waits:
    """Where the texts arrive; how long each company's customers have waited."""

    asked: dict[str, tuple[UUID, float]] = field(default_factory=dict)
    seconds: dict[UUID, list[float]] = field(default_factory=dict)

    def ring(self, chat: str) -> str:
        """A text is there."""
        company, since = self.asked.pop(chat)
        self.seconds.setdefault(company, []).append(time.monotonic() - since)
        return f"3EB0{chat}"

    async def until_answered(self, companies: Sequence[UUID]) -> None:
        """Until nobody there waits any more."""
        while any(company in companies for company, _ in self.asked.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    def of(self, companies: Iterable[UUID]) -> list[float]:
        """All waits there."""
        return [one for company in companies for one in self.seconds.get(company, ())]


@dataclass(frozen=True, slots=True)
class Figures:
    """The waits of the others without the flood and during it, and of the flooded company."""

    without: list[float]
    during: list[float]
    flooded: list[float]
    flooded_with: int

    @property
    def times(self) -> float:
        """How many times as long the others' 99th percentile is during the flood."""
        return percentile(self.during, 99) / percentile(self.without, 99)


async def run(plan: Plan, root: Path) -> Figures:
    """Both phases on fresh stores; one run at a time under *root*."""
    with alone(root / f"{plan.name}.lock"):
        async with (
            services(root, fast=plan.fast, progress=say) as servers,
            tenants(plan.companies + 1, servers, plan.name, plan.redis_database) as stage,
        ):
            with running(
                "benchmarks.language_model", "--seconds", str(plan.model_seconds)
            ) as model:
                return await _measure(plan, stage, model.hear())


async def _measure(plan: Plan, stage: Tenants, model_url: str) -> Figures:
    flooded, *others = stage.ids
    usual = [(company, plan.each) for company in others]
    people = itertools.count(1)
    async with opened_road(settings_for(model_url, plan.name, {}), stage.urls) as road:
        await _phase(road, stage.ids, [(one, 5.0) for one in stage.ids], people, 2.0)
        say(f"{plan.seconds:g} s of {len(others)} companies…")
        quiet = await _phase(road, stage.ids, usual, people, plan.seconds)
        say(f"{plan.seconds:g} s of the same, while another one is flooded…")
        flood = (flooded, plan.flood)
        loud = await _phase(road, stage.ids, [*usual, flood], people, plan.seconds)
    return Figures(
        quiet.of(others),
        loud.of(others),
        loud.of([flooded]),
        sum(company == flooded for company, _ in loud.asked.values()),
    )


async def _phase(
    road: Road,
    companies: Sequence[UUID],
    rates: Sequence[tuple[UUID, float]],
    people: Iterator[int],
    seconds: float,
) -> Waits:
    """Customers who write once each; ends when nobody but the flooded waits any more."""
    waits = Waits()
    await attach(road, companies, waits)
    feeds = [
        _feed(road, waits, company, poisson(rate, seconds, seed=seed), people)
        for seed, (company, rate) in enumerate(rates)
    ]
    await asyncio.gather(*feeds)
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            await waits.until_answered(companies[1:])
    return waits


async def _feed(
    road: Road, waits: Waits, company: UUID, times: Sequence[float], people: Iterator[int]
) -> None:
    began = time.monotonic()
    for at in times:
        await asyncio.sleep(began + at - time.monotonic())
        phone = f"+1305{next(people):07d}"
        chat = f"{phone[1:]}@s.whatsapp.net"
        waits.asked[chat] = (company, time.monotonic())
        await road.intake.accept(_message(company, phone, chat))


def _message(company: UUID, phone: str, chat: str) -> InboundMessage:
    return InboundMessage(
        company_id=company,
        wa_id=uuid4().hex,
        channel=Channel.WHATSAPP,
        sender=Sender.CUSTOMER,
        phone=phone,
        chat=chat,
        text="¿Y el plan también sirve si entreno en casa?",
        sent_at=datetime.now(UTC),
    )


def percentile(waits: Sequence[float], percent: int) -> float:
    """Of the waits, in seconds."""
    return statistics.quantiles(waits, n=100, method="inclusive")[percent - 1]


def report(plan: Plan, figures: Figures, words: Sequence[str], place: str) -> str:
    """The table with what it needs to be understood and repeated."""
    rows = {"the others, alone": figures.without, "the others, during the flood": figures.during}
    if len(figures.flooded) > 1:
        rows["the flooded company"] = figures.flooded
    sentence = (
        f"{plan.companies} companies with {plan.each:g} messages/s each; the flooded one has"
        f" {plan.flood:g}, of which {figures.flooded_with} still waited at the end. The others'"
        f" p99 is {figures.times:.2f} times what it is without (at most {MOST_TIMES:g})."
    )
    return "\n".join(
        [
            heading("fairness", words, place),
            "",
            line("customers of", "answered", "p50, ms", "p99, ms"),
            line("---", "---:", "---:", "---:"),
            *(_row(name, waits) for name, waits in rows.items()),
            "",
            sentence,
        ]
    )


def _row(name: str, waits: Sequence[float]) -> str:
    times = (f"{1000 * percentile(waits, percent):.0f}" for percent in (50, 99))
    return line(name, str(len(waits)), *times)


def _plan(words: Sequence[str]) -> tuple[Plan, bool]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fairness", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each phase")
    parser.add_argument("--flood", type=float, default=20.0, help="messages/s of one company")
    parser.add_argument("--companies", type=int, default=8, help="beside the flooded one")
    parser.add_argument("--each", type=float, default=0.5, help="messages/s of each of them")
    parser.add_argument("--fast", action="store_true", help="stores that never wait for the disk")
    parser.add_argument("--save", action="store_true", help="keep the table in docs/benchmarks.md")
    told = parser.parse_args(words)
    return Plan(told.seconds, told.flood, told.companies, told.each, fast=told.fast), told.save


def main(words: Sequence[str], root: Path = ROOT) -> str:
    """Measure, print the table, and return it."""
    plan, keep = _plan(words)
    place = machine()
    text = report(plan, asyncio.run(run(plan, root)), words, place)
    return shown("fairness", text, keep=keep)


if __name__ == "__main__":
    begin(main)
