"""The road against a naive pipeline: latency, CPU, round trips and waves a message, in one run.

``make bench``, or ``python -m benchmarks.pipeline [--seconds 25 10] [--rates 20 100] [--save]``.
"""

import argparse
import asyncio
import itertools
import random
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from benchmarks.arrivals import Arrival, poisson, send
from benchmarks.figures import Figures, Phase, machine, notes, table
from benchmarks.population import Population, settled
from benchmarks.processes import Process, running
from benchmarks.proxy import Trip, listening
from benchmarks.trips import count, periodic
from bot.embedded import services
from bot.stores import Urls

REPOSITORY = Path(__file__).resolve().parent.parent
ROOT = REPOSITORY / "var" / "bench"
DOCUMENT = REPOSITORY / "docs" / "benchmarks.md"
SIDES = {"LYROX": "ours", "naive": "naive"}
MODEL_SECONDS = 1.0
WARM_UP = 30
IDLE_SECONDS = 6.0
"""Longer than any of the daemon's periods, so that each shows itself at least once."""
ALONE_SECONDS = 4.5
"""From one lone message to the next: answered, written and marked in this time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run does."""

    customers: int
    rates: tuple[float, ...]
    seconds: tuple[float, ...]
    lone: int
    seed: int
    fast: bool
    trace: bool
    model_seconds: float = MODEL_SECONDS
    warm_up_seconds: float = 1.0
    settling_seconds: float = 3.0
    suffix: str = ""
    redis_databases: tuple[int, int] = (1, 2)

    @property
    def names(self) -> dict[str, str]:
        """What each side's databases are called."""
        return {side: f"bench_{kind}{self.suffix}" for side, kind in SIDES.items()}


async def run(plan: Plan, root: Path) -> dict[str, Figures]:
    """Measure both pipelines on fresh, equal stores."""
    population = Population(plan.customers)
    places = dict(zip(plan.names.values(), plan.redis_databases, strict=True))
    figures = {}
    async with services(root, fast=plan.fast, progress=_say) as servers:
        _say(f"making {plan.customers} customers of {len(population.companies)} companies, twice…")
        async with settled(population, servers, places) as urls:
            with running(
                "benchmarks.language_model", "--seconds", str(plan.model_seconds)
            ) as model:
                model_url = model.hear()
                for side, kind in SIDES.items():
                    bench = Bench(plan, population, kind, plan.names[side], model_url)
                    figures[side] = await asyncio.to_thread(bench.measure, urls[plan.names[side]])
    return figures


class Bench:
    """One pipeline, measured in a process of its own."""

    def __init__(
        self, plan: Plan, population: Population, kind: str, database: str, model_url: str
    ) -> None:
        self._plan = plan
        self._population = population
        self._kind = kind
        self._database = database
        self._model_url = model_url
        self._numbers = itertools.count(1)

    def measure(self, urls: Urls) -> Figures:
        """The timed phases on the stores themselves, then lone messages through a proxy."""
        figures = Figures()
        customers = self._customers()
        with self._subject(urls) as subject:
            self._warm_up(subject)
            for rate, seconds in zip(self._plan.rates, self._plan.seconds, strict=True):
                _say(f"{self._kind}: {rate:g} messages/s for {seconds:g} s…")
                figures.phases.append(self._phase(subject, rate, seconds, customers))
        if self._plan.lone:
            _say(f"{self._kind}: {2 * self._plan.lone} lone messages through the counting proxy…")
            self._count(urls, figures)
        return figures

    def _customers(self) -> Iterator[int]:
        """Everybody in a random order, again and again: nobody meets the rate limit."""
        order = list(range(self._population.customers))
        random.Random(self._plan.seed).shuffle(order)
        return itertools.cycle(order)

    @contextmanager
    def _subject(self, urls: Urls) -> Iterator[Process]:
        words = {
            "postgres": urls.postgres,
            "redis": urls.redis,
            "mongo": urls.mongo,
            "mongo-database": self._database,
            "model": self._model_url,
            "customers": str(self._population.customers),
            "settling": str(self._plan.settling_seconds),
        }
        options = [word for key, value in words.items() for word in (f"--{key}", value)]
        with running("benchmarks.subject", self._kind, *options) as subject:
            subject.expect("ready")
            yield subject

    def _warm_up(self, subject: Process) -> None:
        """Connections are opened and statements prepared before anything is measured."""
        self._phase(
            subject, WARM_UP, self._plan.warm_up_seconds, itertools.cycle(self._population.spare)
        )

    def _phase(
        self, subject: Process, rate: float, seconds: float, customers: Iterator[int]
    ) -> Phase:
        times = poisson(rate, seconds, seed=self._plan.seed)
        subject.say("begin")
        send(times, customers, subject.input, numbers=self._numbers)
        subject.say("end")
        told = subject.told()
        return Phase(
            rate=rate,
            model_seconds=self._plan.model_seconds,
            messages=len(times),
            cpu_seconds=told["cpu_seconds"],
            seconds=tuple(told["seconds"]),
            whole=tuple(told["whole"]),
            unanswered=told["unanswered"],
            unasked=told["unasked"],
        )

    def _count(self, urls: Urls, figures: Figures) -> None:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lyrox-")))
            proxies = [
                stack.enter_context(running("benchmarks.proxy", str(folder), name, socket))
                for name, socket in _sockets(urls).items()
            ]
            for proxy in proxies:
                proxy.expect("ready")
            subject = stack.enter_context(self._subject(_through(folder, urls)))
            self._warm_up(subject)
            _ask(proxies)
            time.sleep(IDLE_SECONDS)
            background = periodic(_ask(proxies))
            chosen = self._population.lone[: self._plan.lone]
            for found in (figures.cold, figures.warm):
                for customer in chosen:
                    arrival = Arrival(next(self._numbers), customer, time.monotonic())
                    subject.input.write(arrival.line())
                    subject.input.flush()
                    time.sleep(ALONE_SECONDS)
                    found.append(count(_ask(proxies), background))
        if self._plan.trace:
            for name, found in (("cold", figures.cold), ("warm", figures.warm)):
                for one in found:
                    _say(f"{self._kind}, {name} context, {one.waves} waves:", *one.lines())


def _ask(proxies: Sequence[Process]) -> list[Trip]:
    trips: list[Trip] = []
    for proxy in proxies:
        proxy.say("take")
        trips += [(name, label, began, ended) for name, label, began, ended in proxy.told()]
    return sorted(trips, key=lambda trip: trip[2])


def _sockets(urls: Urls) -> dict[str, str]:
    """The Unix sockets of private stores."""
    folder = unquote(urlsplit(urls.postgres).query.partition("host=")[2])
    return {
        "postgres": f"{folder}/.s.PGSQL.5432",
        "redis": unquote(urlsplit(urls.redis).path),
        "mongo": unquote(urlsplit(urls.mongo).netloc),
    }


def _through(folder: Path, urls: Urls) -> Urls:
    """The same stores behind the proxy's sockets."""
    postgres = urls.postgres.partition("?")[0]
    mongo = urlsplit(urls.mongo)
    return Urls(
        postgres=f"{postgres}?host={quote(str(folder))}",
        redis=f"unix://{listening(folder, 'redis')}?{urlsplit(urls.redis).query}",
        mongo=mongo._replace(netloc=quote(str(listening(folder, "mongo")), safe="")).geturl(),
    )


def _say(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr, flush=True)


def report(sides: dict[str, Figures], words: Sequence[str], place: str) -> str:
    """The table with what it needs to be understood and repeated."""
    command = shlex.join(
        ["python", "-m", "benchmarks.pipeline", *(w for w in words if w != "--save")]
    )
    return "\n".join(
        [
            f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {place}",
            "",
            table(sides),
            "",
            *(f"- {note}" for note in notes(sides)),
        ]
    )


def save(text: str, document: Path = DOCUMENT) -> None:
    """Put *text* in place of the table that the document holds."""
    begin, end = "<!-- pipeline -->", "<!-- /pipeline -->"
    whole = document.read_text(encoding="utf-8")
    before, _, rest = whole.partition(begin)
    after = rest.partition(end)[2]
    document.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


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
    print(text, flush=True)
    if keep:
        save(text)
    return text


if __name__ == "__main__":
    main(sys.argv[1:])
