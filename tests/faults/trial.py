"""One kill: customers write, the daemon dies, another one runs, and everybody is told once."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from aiohttp import web

from tests.fakes.openai_server import Act
from tests.faults.client_fleet import LoopbackPhones
from tests.faults.crowd import Crowd
from tests.faults.deeds import PHONE_OFF, Deed
from tests.faults.fleet import Fleet
from tests.faults.person import Person
from tests.faults.tally import Row

PATIENCE_SECONDS = 60.0
"""What is not answered by then is lost."""
_LONG = " Te contamos con calma cómo es el plan, qué incluye y cómo empezamos juntos." * 4
_PARTED = 0.3
_MODEL_SECONDS = 0.15
_REST_SECONDS = 0.05
_LOOK_SECONDS = 0.1
"""What had arrived before a death may be seen so long after it."""
_STANDING = """
SELECT (SELECT count(*) FROM inbox) AS taken,
       EXISTS (SELECT FROM inbox WHERE state IN ('pending', 'taken'))
    OR EXISTS (SELECT FROM turns WHERE state = 'open')
    OR EXISTS (SELECT FROM outbox WHERE state IN ('ready', 'sending')) AS waiting
"""
_seeds = count(1)


@dataclass
class Trial:
    """What is known of one kill."""

    number: int
    fault: str
    crowd: Crowd
    died: float = 0.0
    journals: bytes = b""
    """All that the journals held at the death: what the callback had returned for."""
    ready: float = 0.0
    """Seconds from the death until another daemon took messages."""
    first: float | None = None
    """Seconds from the death until somebody was answered again; None where nobody waited."""
    last: float = 0.0
    """Seconds until all who had written before the death were answered."""
    at_rest: bool = False
    row: Row = field(default_factory=lambda: Row(""))
    """What the customers themselves can tell."""
    problems: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def handed_over(self, person: Person, number: int) -> bool:
        """Whether the client's callback had returned for a message, or the client lived on."""
        after = person.written[number] > self.died
        return after or token(person, number).encode() in self.journals


def token(person: Person, number: int) -> str:
    """A message, in the words of `Crowd`."""
    return f"pedido {person.phone} {number}"


@dataclass
class Trials:
    """Kills of one fleet, one after the other."""

    fleet: Fleet
    each: int
    pause: float
    off_seconds: float = 0.5
    """How long a phone that was off stays off after all else is at rest."""
    written: int = 0

    async def kill(self, number: int, fault: str, deed: Deed, dice: random.Random) -> Trial:
        """One kill and all that follows it."""
        crowd = Crowd(self.fleet.phones, self.fleet.companies, each=self.each, seed=next(_seeds))
        self.fleet.llm.always(_slow(crowd, dice))
        trial = Trial(number, fault, crowd)
        await self.fleet.start()
        with self._off(trial, dice) as switched_off:
            async with crowd.writing(pause=self.pause):
                await self._die(trial, deed, dice)
                await self.fleet.start()
                trial.ready = time.monotonic() - trial.died
                await asyncio.sleep(dice.uniform(0.1, 0.4))
            await self._rest(trial)
            if switched_off:
                await asyncio.sleep(self.off_seconds)
        crowd.look()
        trial.row = crowd.row(fault)
        return trial

    async def _die(self, trial: Trial, deed: Deed, dice: random.Random) -> None:
        try:
            await deed(dice)
        except TimeoutError:
            trial.problems.append("the point was not reached")
            await self.fleet.kill()
        trial.died = time.monotonic()
        folder = self.fleet.home.state_dir / "journal"
        trial.journals = b"".join(file.read_bytes() for file in folder.glob("*/*.journal"))
        trial.log.append(self.fleet.said())

    async def _rest(self, trial: Trial) -> None:
        self.written += trial.crowd.count()
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            standing = await self.fleet.look.fetchrow(_STANDING)
            trial.crowd.look()
            trial.at_rest = not standing["waiting"]
            if (trial.at_rest and standing["taken"] >= self.written) or time.monotonic() > end:
                break
            await asyncio.sleep(_REST_SECONDS)
        self.written = standing["taken"]
        trial.last = trial.crowd.recovery(trial.died)
        answers = [at for person in trial.crowd.people for at in person.answered.values()]
        later = [at - trial.died for at in answers if at > trial.died + _LOOK_SECONDS]
        trial.first = min(later, default=None)

    @contextmanager
    def _off(self, trial: Trial, dice: random.Random) -> Iterator[list[Person]]:
        """Some of the phones, switched off meanwhile, where the fault wants it."""
        phones = self.fleet.phones
        if trial.fault != PHONE_OFF or not isinstance(phones, LoopbackPhones):
            yield []
            return
        chosen = dice.sample(trial.crowd.people, len(trial.crowd.people) // 2)
        for person in chosen:
            phones.switch(person.company, person.phone, on=False)
        try:
            yield chosen
        finally:
            for person in chosen:
                phones.switch(person.company, person.phone, on=True)


def _slow(crowd: Crowd, dice: random.Random) -> Act:
    """The crowd's model, which takes a moment or longer; some answers have two parts."""

    def wording(tokens: str) -> str:
        return f"{tokens}.{_LONG}\n\nSeguimos.{_LONG}" if dice.random() < _PARTED else tokens

    plain = crowd.echo(wording=wording)

    async def act(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(min(1.0, dice.expovariate(1 / _MODEL_SECONDS)))
        return await plain(request)

    return act
