"""Processes killed in turn for minutes, while others go on: workers, and the hosts of sessions.

Where a session's host is killed in the midst of a send, the reply may stay unconfirmed: it counts
as sent, in ``unresolved``, and what it answers is not lost.

``LYROX_FAULT_SECONDS`` says for how long each (300).
"""

import asyncio
import os
import random
import re
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest

from tests.builders import admin
from tests.faults.crowd import Crowd
from tests.faults.tally import Row, add
from tests.faults.town import Town, open_town
from tests.system.warm import Child, Warm

SECONDS = float(os.environ.get("LYROX_FAULT_SECONDS", "300"))
BETWEEN_SECONDS = 10.0
"""From one death to the next: what the dead one held is with another one by then."""
MODEL_SECONDS = 0.5
TAKEOVER_SECONDS = 8.0 + MODEL_SECONDS
SESSION_SECONDS = 15.0 + MODEL_SECONDS
TOKEN = re.compile(r"pedido (\d+) (\d+)")

pytestmark = [pytest.mark.faults, pytest.mark.timeout(SECONDS + 240)]


@dataclass
class Troupe:
    """Two processes of a kind, of which one at a time is made to suffer."""

    town: Town
    words: tuple[str, ...]
    """How one is started; its number follows."""
    run: str
    members: dict[int, Child] = field(default_factory=dict)

    async def start(self, number: int) -> Child:
        """That one, ready."""
        first = (self.town.phones.folder,) if self.run == "daemon" else ()
        member = await self.town.nursery.start(
            self.town.home, *first, *self.words, number, run=self.run
        )
        self.members[number] = member
        await member.until("ready")
        return member

    async def kill(self, number: int) -> float:
        """When it was dead."""
        await self.members[number].send(signal.SIGKILL)
        return time.monotonic()

    async def freeze(self, number: int, seconds: float) -> float:
        """It stands still so long, and goes on as if nothing had been; when that began."""
        os.kill(self.members[number].pid, signal.SIGSTOP)
        began = time.monotonic()
        await asyncio.sleep(seconds)
        os.kill(self.members[number].pid, signal.SIGCONT)
        return began

    async def end(self) -> None:
        """All of them."""
        for member in self.members.values():
            await member.send(signal.SIGKILL)


def workers(town: Town) -> Troupe:
    """Processes that answer."""
    return Troupe(town, ("worker", "--number"), "lyrox")


def hosts(town: Town) -> Troupe:
    """Processes that hold the sessions."""
    return Troupe(town, ("--shard",), "daemon")


@pytest.fixture
async def town(nursery: Warm, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """Companies whose turns are left to workers."""
    folder = tmp_path_factory.mktemp("town")
    daemon = {"turns_here": False, "drain_seconds": 5.0}
    limits = {"turns_per_company": 64}  # Nobody waits for another one's turn.
    async with open_town(folder, nursery, daemon=daemon, limits=limits) as opened:
        yield opened


@pytest.fixture
async def crew(town: Town) -> AsyncIterator[tuple[Troupe, Troupe]]:
    """One host of sessions and two workers."""
    holding, answering = hosts(town), workers(town)
    await holding.start(0)
    for number in (0, 1):
        await answering.start(number)
    try:
        yield holding, answering
    finally:
        await answering.end()
        await holding.end()


def crowd_of(town: Town) -> Crowd:
    crowd = town.crowd()
    town.llm.always(crowd.echo(seconds=MODEL_SECONDS))
    return crowd


async def verdict(town: Town, crowd: Crowd, fault: str, deaths: list[float]) -> Row:
    """What became of all of them, also in the table."""
    await crowd.answered(40.0)
    unconfirmed = await unconfirmed_of(town, crowd)
    said = {(phone, int(number)) for text in unconfirmed for phone, number in TOKEN.findall(text)}
    lost = [
        number
        for person in crowd.people
        for number in person.waiting()
        if (person.phone, number) not in said
    ]
    longest = max(crowd.recovery(death) for death in deaths)
    row = crowd.row(fault, unresolved=len(unconfirmed))
    row = replace(row, tries=len(deaths), lost=len(lost), seconds=longest)
    add(row)
    print(row.line(), f"{crowd.count()} messages")
    return row


async def unconfirmed_of(town: Town, crowd: Crowd) -> list[str]:
    """The replies of which nobody knows whether they arrived: they count as sent."""
    look = await admin(town.url)
    try:
        rows = await look.fetch(
            "SELECT content FROM outbox o JOIN customers c ON c.id = o.customer_id"
            " WHERE NOT o.confirmed AND c.phone = ANY ($1)",
            [f"+{person.phone}" for person in crowd.people],
        )
    finally:
        await look.close()
    return [row["content"] for row in rows]


async def in_turn(troupe: Troupe, dice: random.Random, *, hold: float) -> list[float]:
    """Kill one after the other until the time is over; each is back after *hold* at most."""
    deaths: list[float] = []
    end, number = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        await asyncio.sleep(dice.uniform(0.0, 1.0))
        deaths.append(await troupe.kill(number))
        await asyncio.sleep(dice.uniform(0.0, hold))
        await troupe.start(number)
        await asyncio.sleep(max(0.0, deaths[-1] + BETWEEN_SECONDS - time.monotonic()))
        number = 1 - number
    return deaths


async def test_workers_that_are_killed_in_turn_lose_nothing_and_say_nothing_twice(
    town: Town, crew: tuple[Troupe, Troupe]
) -> None:
    _, answering = crew
    crowd = crowd_of(town)

    async with crowd.writing():
        deaths = await in_turn(answering, random.Random(1), hold=6.0)
    row = await verdict(town, crowd, "one of two workers killed", deaths)

    assert (row.lost, row.doubled, row.disordered, row.wrong, row.unresolved) == (0, 0, 0, 0, 0)
    assert row.seconds is not None
    assert row.seconds < TAKEOVER_SECONDS


async def test_workers_that_stand_still_and_go_on_say_nothing_twice(
    town: Town, crew: tuple[Troupe, Troupe]
) -> None:
    _, answering = crew
    crowd, frozen = crowd_of(town), list[float]()

    async with crowd.writing():
        for number in (0, 1, 0):
            frozen.append(await answering.freeze(number, 7.0))
            await asyncio.sleep(4.0)
    row = await verdict(town, crowd, "one of two workers stopped for 7 s (SIGSTOP)", frozen)

    assert (row.lost, row.doubled, row.disordered, row.wrong, row.unresolved) == (0, 0, 0, 0, 0)
    assert row.seconds is not None
    assert row.seconds < TAKEOVER_SECONDS


async def test_when_all_workers_are_killed_at_once_the_session_host_answers(
    town: Town, crew: tuple[Troupe, Troupe]
) -> None:
    _, answering = crew
    crowd, deaths = crowd_of(town), list[float]()

    async with crowd.writing():
        for _ in range(3):
            await asyncio.sleep(2.0)
            await answering.kill(0)
            deaths.append(await answering.kill(1))
            await asyncio.sleep(BETWEEN_SECONDS)
            for number in (0, 1):
                await answering.start(number)
    row = await verdict(town, crowd, "all workers killed, the session host answers", deaths)

    assert (row.lost, row.doubled, row.disordered, row.wrong, row.unresolved) == (0, 0, 0, 0, 0)
    assert row.seconds is not None
    assert row.seconds < TAKEOVER_SECONDS


async def test_hosts_of_sessions_that_are_killed_in_turn_lose_nothing_and_say_nothing_twice(
    town: Town, crew: tuple[Troupe, Troupe]
) -> None:
    holding, _ = crew
    await holding.start(1)
    crowd = crowd_of(town)

    async with crowd.writing():
        deaths = await in_turn(holding, random.Random(2), hold=6.0)
    row = await verdict(town, crowd, "one of two session hosts killed", deaths)

    assert (row.lost, row.doubled, row.disordered, row.wrong) == (0, 0, 0, 0)
    assert row.seconds is not None
    assert row.seconds < SESSION_SECONDS
