"""One pipeline measured: the timed phases, and lone messages through the counting proxies."""

import itertools
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from benchmarks.arrivals import Arrival, poisson, send
from benchmarks.figures import Figures, Phase
from benchmarks.population import Population
from benchmarks.processes import Process, running
from benchmarks.proxy import Trip, listening
from benchmarks.trips import count, periodic
from bot.stores import Urls

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
                say(f"{self._kind}: {rate:g} messages/s for {seconds:g} s…")
                figures.phases.append(self._phase(subject, rate, seconds, customers))
        if self._plan.lone:
            say(f"{self._kind}: {2 * self._plan.lone} lone messages through the counting proxy…")
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
                    say(f"{self._kind}, {name} context, {one.waves} waves:", *one.lines())


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


def say(*lines: str) -> None:
    """Tell who waits."""
    for line in lines:
        print(line, file=sys.stderr, flush=True)
