"""How a daemon dies while customers write: at a named point, at any moment, or twice."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

from tests.faults.client_fleet import ClientFleet
from tests.faults.fleet import Fleet
from tests.faults.points import (
    BETWEEN,
    BETWEEN_PARTS,
    CLIENT_POINTS,
    IN_THE_WINDOW,
    POINTS,
    WINDOW,
    ClientMoment,
    Provoke,
)
from tests.system.lines import read

ANY_MOMENT = "any moment"
WHILE_IT_STARTS = "any moment, and again while it starts"
PHONE_OFF = "any moment, the customer's phone off until ten minutes later"
UNCONFIRMED = "it has left, WhatsApp has not confirmed it"

P = TypeVar("P")
Deed = Callable[[random.Random], Awaitable[None]]


async def at_any_moment(fleet: Fleet, dice: random.Random) -> None:
    """Wherever it is."""
    await asyncio.sleep(dice.uniform(0.05, 1.5))
    await fleet.kill()


async def while_it_starts(fleet: Fleet, dice: random.Random) -> None:
    """Twice: the second one has not yet done what a start does."""
    await at_any_moment(fleet, dice)
    await fleet.begin()
    await asyncio.sleep(dice.uniform(0.02, 0.8))
    await fleet.kill()


async def unconfirmed(fleet: ClientFleet, dice: random.Random) -> None:
    """The server has brought it to the customer, and the client has no word of that."""
    await asyncio.sleep(dice.uniform(0.0, 0.3))
    for owner in fleet.owners.values():
        owner.faults.withholds_acks = True
    arrived = fleet.phones.folder / "arrived.jsonl"
    before = len(read(arrived))

    async def more() -> bool:
        return len(read(arrived)) > before

    await fleet.until(more)
    await fleet.kill()
    for owner in fleet.owners.values():
        owner.faults.withholds_acks = False


def of_files(fleet: Fleet) -> Mapping[str, tuple[float, Deed]]:
    """By its name how often a deed is chosen, and the deed."""
    named: dict[str, ClientMoment] = {**CLIENT_POINTS, **POINTS}
    named |= {BETWEEN_PARTS: BETWEEN, WINDOW: IN_THE_WINDOW}
    deeds: dict[str, tuple[float, Deed]] = {
        name: (1.0, partial(_at, fleet, moment)) for name, moment in named.items()
    }
    deeds[ANY_MOMENT] = (18.0, partial(at_any_moment, fleet))
    deeds[WHILE_IT_STARTS] = (6.0, partial(while_it_starts, fleet))
    return deeds


def of_client(fleet: ClientFleet) -> Mapping[str, tuple[float, Deed]]:
    """The same with the real client, which dies where our road stands still or anywhere."""
    named = {**POINTS, BETWEEN_PARTS: BETWEEN}
    deeds: dict[str, tuple[float, Deed]] = {
        name: (0.25, partial(_at, fleet, moment)) for name, moment in named.items()
    }
    deeds[ANY_MOMENT] = (6.0, partial(at_any_moment, fleet))
    deeds[PHONE_OFF] = (2.0, partial(at_any_moment, fleet))
    deeds[UNCONFIRMED] = (1.5, partial(unconfirmed, fleet))
    return deeds


def choose(deeds: Mapping[str, tuple[float, Deed]], dice: random.Random) -> tuple[str, Deed]:
    """One of them, by weight."""
    name = dice.choices(list(deeds), [weight for weight, _ in deeds.values()])[0]
    return name, deeds[name][1]


async def _at(place: P, moment: Callable[[P, Provoke], Awaitable[None]], _: random.Random) -> None:
    await moment(place, _nothing)


def _nothing() -> None:
    """Customers write all the time."""
