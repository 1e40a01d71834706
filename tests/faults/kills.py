"""Kill a real daemon over and over while customers write, and compare what they were told.

``python -m tests.faults.kills --kills 200 --seed 7 --resume [--save]``. Every eighth kill is of a
daemon with the real client, whose phones are on the loopback server; the others' phones are files.
Which fault a number stands for follows from the seed. Each batch of kills is added to
``var/faults/kills.jsonl`` when all books have been compared; with ``--resume`` those are not done
again. Exits 1 where something was lost, doubled, disordered, told to the wrong person, or answered
late.
"""

import argparse
import asyncio
import itertools
import os
import random
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.databases import REPOSITORY
from tests.faults.books import Books, all_written, journals, open_books
from tests.faults.client_fleet import open_client_fleet
from tests.faults.deeds import Deed, choose, of_client, of_files
from tests.faults.fleet import Fleet, open_fleet
from tests.faults.ground import open_ground
from tests.faults.record import Kill, Record, save, table
from tests.faults.trial import Trial, Trials, token
from tests.whatsapp_server.library import client_library

FOLDER = REPOSITORY / "var" / "faults"
DOCUMENT = REPOSITORY / "docs" / "reliability.md"
SLICE = 200
BATCH = 10
CLIENT_EVERY = 8
PHONES = ("files", "client")

Deeds = Mapping[str, tuple[float, Deed]]


@dataclass(frozen=True)
class Plan:
    """What is asked for: all numbers below *count*, or those of them that mean the fault *only*."""

    seed: int
    count: int
    phones: Sequence[str]
    only: str | None
    off_seconds: float


@asynccontextmanager
async def opened(plan: Plan, *, client: bool) -> AsyncIterator[tuple[Trials, Deeds]]:
    """A fleet on fresh stores, and what is to be done to it."""
    library = client_library()
    async with open_ground() as ground:
        with tempfile.TemporaryDirectory(prefix="lyrox-faults-") as folder:
            if client and library is not None:
                async with open_client_fleet(Path(folder), ground, library) as there:
                    trials = Trials(there, each=2, pause=0.8, off_seconds=plan.off_seconds)
                    yield trials, _wanted(of_client(there), plan.only)
            else:
                async with open_fleet(Path(folder), ground) as here:
                    yield Trials(here, each=3, pause=0.6), _wanted(of_files(here), plan.only)


def _wanted(deeds: Deeds, only: str | None) -> Deeds:
    if only is None:
        return deeds
    if only not in deeds:
        sys.exit(f"with these phones the faults are: {'; '.join(deeds)}")
    return {only: deeds[only]}


async def kill_all(trials: Trials, deeds: Deeds, seed: int, numbers: Sequence[int]) -> list[Trial]:
    """Some kills; fewer where one never came to rest."""
    done: list[Trial] = []
    for number in numbers:
        dice = random.Random(f"{seed}/{number}")
        done.append(await trials.kill(number, *choose(deeds, dice), dice))
        if not done[-1].at_rest:
            break
    return done


async def compare(fleet: Fleet, trials: Sequence[Trial], seed: int) -> list[Kill]:
    """All books about the customers of some kills, once they are written."""
    people = [person for trial in trials for person in trial.crowd.people]
    trials[-1].problems += await all_written(fleet, people)
    trials[-1].log.append(fleet.said())
    books = await open_books(fleet)
    trials[-1].problems += journals(fleet)
    kills = [judged(one, books, seed=seed, client=is_client(one.number)) for one in trials]
    _keep_evidence(trials, kills)
    return kills


def judged(trial: Trial, books: Books, *, seed: int, client: bool) -> Kill:
    """What became of one kill."""
    crowd, row = trial.crowd, trial.row
    unsaid = [text for person in crowd.people for text in books.unsaid(person.phone)]
    unconfirmed = sum(len(books.unconfirmed[person.phone]) for person in crowd.people)
    missing = [
        (person, number)
        for person in crowd.people
        for number in person.waiting()
        if not any(names(text, token(person, number)) for text in unsaid)
    ]
    # Phones that are files offer a message until the client has it.
    untaken = [one for one in missing if client and not trial.handed_over(*one)]
    problems = [] if trial.at_rest else ["the ledger never came to rest"]
    problems += [one for person in crowd.people for one in books.problems(person)]
    return Kill(
        seed,
        trial.number,
        trial.fault,
        client,
        messages=crowd.count(),
        lost=len(missing) - len(untaken),
        untaken=len(untaken),
        doubled=row.doubled,
        disordered=row.disordered,
        wrong=row.wrong,
        said=unconfirmed - len(unsaid),
        unsaid=len(unsaid),
        ready=round(trial.ready, 3),
        first=None if trial.first is None else round(trial.first, 3),
        last=round(trial.last, 3),
        load=os.getloadavg()[0],
        problems=[*trial.problems, *problems],
    )


def names(text: str, message: str) -> bool:
    """Whether a reply answers that message."""
    return re.search(rf"{message}\b", text) is not None


def is_client(number: int) -> bool:
    """Whether that kill goes through the real client, where there is one."""
    return number % CLIENT_EVERY == CLIENT_EVERY - 1 and client_library() is not None


def _keep_evidence(trials: Sequence[Trial], kills: Sequence[Kill]) -> None:
    """What the daemons of a broken kill said."""
    for trial, kill in zip(trials, kills, strict=True):
        if not kill.sound:
            file = FOLDER / f"kill-{kill.seed}-{kill.number}.log"
            file.write_text("\n".join([*kill.problems, *trial.log]), encoding="utf-8")


async def run(record: Record, plan: Plan) -> None:
    """All kills of the plan that are not done yet, a slice at a time."""
    for first, kind in itertools.product(range(0, plan.count, SLICE), plan.phones):
        client = kind == "client"
        numbers = range(first, min(first + SLICE, plan.count))
        while todo := _todo(record, plan.seed, numbers, client=client):
            await _go_on(record, plan, todo, client=client)


def _todo(record: Record, seed: int, numbers: range, *, client: bool) -> list[int]:
    done = {kill.number for kill in record.read() if kill.seed == seed}
    return [number for number in numbers if number not in done and is_client(number) == client]


async def _go_on(record: Record, plan: Plan, numbers: Sequence[int], *, client: bool) -> None:
    """On one fleet, until all are done or one never came to rest.

    A batch is compared when the next one is over: by then its history has been written.
    """
    async with opened(plan, client=client) as (trials, deeds):
        waiting: list[Trial] = []
        for at in range(0, len(numbers), BATCH):
            done = await kill_all(trials, deeds, plan.seed, numbers[at : at + BATCH])
            await _finish(record, trials.fleet, waiting, plan.seed)
            waiting = done
            if not done[-1].at_rest:
                break
        await _finish(record, trials.fleet, waiting, plan.seed)


async def _finish(record: Record, fleet: Fleet, trials: Sequence[Trial], seed: int) -> None:
    if trials:
        kills = await compare(fleet, trials, seed)
        record.add(kills)
        _tell(record.read(), kills)


def _tell(all_kills: Sequence[Kill], kills: Sequence[Kill]) -> None:
    broken = sum(not kill.sound for kill in all_kills)
    slowest = max(kill.last for kill in kills)
    print(
        f"{len(all_kills)} kills, {broken} not as promised;"
        f" the last {len(kills)}: at most {slowest:.1f} s until all were answered",
        file=sys.stderr,
    )


def main(words: Sequence[str]) -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=SLICE, help="how many in all")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--resume", action="store_true", help="go on where a run was broken off")
    parser.add_argument("--phones", nargs="+", choices=PHONES, default=PHONES, help="which kinds")
    parser.add_argument("--only", metavar="FAULT", help="this fault alone, by its name")
    parser.add_argument("--off-seconds", type=float, default=0.5, help="a phone that is off")
    parser.add_argument("--save", action="store_true", help="write the table into its document")
    options = parser.parse_args(words)
    record = Record(FOLDER / "kills.jsonl")
    if not options.resume:
        record.begin_anew()
    plan = Plan(options.seed, options.kills, options.phones, options.only, options.off_seconds)
    asyncio.run(run(record, plan))
    kills = record.read()
    print(table(kills))
    if options.save:
        save(kills, DOCUMENT)
    return 0 if all(kill.sound for kill in kills) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
