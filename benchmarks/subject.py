"""The measured process: it runs one pipeline and nothing else, and measures its own CPU.

It is told on standard input what arrives (`Arrival.line`), ``begin`` and ``end``, and answers
``end`` with one line of JSON. Its CPU includes reading that pipe and making the messages.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field

from benchmarks.arrivals import Arrival, People, customer_in
from benchmarks.population import Population
from bot import event_loop
from bot.stores import Urls
from models.values import InboundMessage

LONGEST_DRAIN_SECONDS = 120.0
Accept = Callable[[InboundMessage], Awaitable[None]]
Opener = Callable[["Setting"], AbstractAsyncContextManager[Accept]]


@dataclass
class Phones:
    """Where the texts arrive; knows when each message came and when its answer left."""

    waiting: dict[int, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    """From the pipeline's call to the wire."""
    whole: list[float] = field(default_factory=list)
    """From the pipe's other end to the wire."""
    taken: dict[int, float] = field(default_factory=dict)
    unasked: int = 0
    quiet: asyncio.Event = field(default_factory=asyncio.Event)
    """Nobody waits for an answer."""

    def expect(self, arrival: Arrival) -> None:
        """A customer has written."""
        self.quiet.clear()
        if arrival.customer in self.waiting:
            self.unasked += 1
        self.waiting[arrival.customer] = arrival.at

    def take(self, message: InboundMessage) -> None:
        """The pipeline is called with what a customer has written."""
        self.taken[customer_in(message.chat)] = time.monotonic()

    def begin(self) -> None:
        """Count anew."""
        self.seconds, self.whole, self.unasked = [], [], 0

    def ring(self, chat: str) -> str:
        """A text has reached the wire; returns its id."""
        now, customer = time.monotonic(), customer_in(chat)
        at = self.waiting.pop(customer, None)
        if at is None:
            self.unasked += 1
        else:
            self.whole.append(now - at)
            self.seconds.append(now - self.taken.pop(customer))
        if not self.waiting:
            self.quiet.set()
        return f"3EB1{len(self.seconds):018X}"


@dataclass(frozen=True)
class Setting:
    """What a pipeline is opened on."""

    population: Population
    urls: Urls
    mongo_database: str
    model_url: str
    settling_seconds: float
    """After the last text has left: its history is written and marked in this time."""
    phones: Phones


class Subject:
    """Feeds a pipeline from the pipe, each company's messages in order."""

    def __init__(self, setting: Setting, accept: Accept, *, serial: bool) -> None:
        self._people = People(setting.population)
        self._phones = setting.phones
        self._accept = accept
        self._serial = serial
        self._settling_seconds = setting.settling_seconds
        self._queues: dict[int, asyncio.Queue[InboundMessage]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._began = 0.0

    async def follow(self, reader: asyncio.StreamReader) -> None:
        """Until standard input ends."""
        while line := await reader.readline():
            if line == b"begin\n":
                self._phones.begin()
                self._began = time.process_time()
            elif line == b"end\n":
                await self._tell()
            else:
                self._arrive(Arrival.read(line))

    def _arrive(self, arrival: Arrival) -> None:
        self._phones.expect(arrival)
        message = self._people.message(arrival)
        if not self._serial:
            self._start(self._hand_over(message))
            return
        company = message.company_id.int
        if company not in self._queues:
            self._queues[company] = asyncio.Queue()
            self._start(self._read(self._queues[company]))
        self._queues[company].put_nowait(message)

    async def _read(self, queue: asyncio.Queue[InboundMessage]) -> None:
        """As a session's reader does: the next message when the former is kept."""
        while True:
            await self._hand_over(await queue.get())

    async def _hand_over(self, message: InboundMessage) -> None:
        self._phones.take(message)
        await self._accept(message)

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            print(f"a message was lost: {error!r}", file=sys.stderr, flush=True)

    async def _tell(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_DRAIN_SECONDS):
                await self._phones.quiet.wait()
                if self._tasks and not self._serial:  # What comes after the text is work too.
                    await asyncio.wait(self._tasks)
        await asyncio.sleep(self._settling_seconds)
        told = {
            "cpu_seconds": time.process_time() - self._began,
            "seconds": self._phones.seconds,
            "whole": self._phones.whole,
            "unanswered": len(self._phones.waiting),
            "unasked": self._phones.unasked,
        }
        self._phones.waiting.clear()
        print(json.dumps(told), flush=True)


async def _standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    return reader


async def _run(kind: str, setting: Setting) -> None:
    # Each side imports only what it uses.
    if kind == "ours":
        from benchmarks.ours import opened
    else:
        from benchmarks.naive import opened
    reader = await _standard_input()
    async with opened(setting) as accept:
        subject = Subject(setting, accept, serial=kind == "ours")
        print("ready", flush=True)
        await subject.follow(reader)


def main() -> None:
    """Run one pipeline until standard input ends."""
    parser = argparse.ArgumentParser(description="One measured pipeline.")
    parser.add_argument("kind", choices=("ours", "naive"))
    for name in ("postgres", "redis", "mongo", "mongo-database", "model"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--customers", type=int, required=True)
    parser.add_argument("--settling", type=float, required=True)
    told = parser.parse_args()
    setting = Setting(
        Population(told.customers),
        Urls(told.postgres, told.redis, told.mongo),
        told.mongo_database,
        told.model,
        told.settling,
        Phones(),
    )
    event_loop.run(_run(told.kind, setting))


if __name__ == "__main__":
    main()
