"""Customers who go on writing whatever breaks, and what they were told in the end.

A message is a token (``pedido NUMBER COUNT``); the model answers with the tokens of the messages
that wait, if the prompt is that of the company they were written to (`echo`). So each reply
says which messages it answers, and to whom.
"""

import asyncio
import itertools
import json
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from aiohttp import web

from tests.fakes.openai_server import Act, says
from tests.faults.person import FOREIGN, Person, tokens_in
from tests.faults.tally import Row
from tests.system.lines import Tail
from tests.system.phone import Phones

_ASKED = re.compile(r"<(m-\w+)>\n(.*?)\n</\1>", re.DOTALL)
_LOOK_SECONDS = 0.02


class Crowd:
    """Customers of some companies on file-backed phones; *names* are their companies'.

    Who reads one of *ends_with* expects no more answers and writes no more: a person has the chat.
    """

    def __init__(
        self,
        phones: Phones,
        names: Mapping[UUID, str],
        *,
        each: int,
        seed: int = 0,
        ends_with: Collection[str] = (),
    ) -> None:
        self._phones = phones
        self._names = names
        self._dice = random.Random(seed)
        self._ends_with = ends_with
        self._arrived = Tail(phones.folder / "arrived.jsonl")
        self._arrived.lines()  # What went to earlier crowds is none of this one's.
        self.people = [
            Person(company, f"5213{place:02}{seed:04}{number:03}")
            for place, company in enumerate(names)
            for number in range(each)
        ]
        self._by_phone = {person.phone: person for person in self.people}
        self._ids = itertools.count(1)
        self.strangers = 0
        """Bubbles that went to nobody of these."""

    @asynccontextmanager
    async def writing(self, *, pause: float = 0.6, patience: float = 2.0) -> AsyncIterator[None]:
        """Everybody writes meanwhile, bursts and single messages, and reads."""
        tasks = [asyncio.ensure_future(self._reading())]
        tasks += [
            asyncio.ensure_future(self._talk(person, pause, patience)) for person in self.people
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def write(self, person: Person) -> int:
        """One message; its number."""
        number = len(person.written) + 1
        person.written[number] = time.monotonic()
        wa_id = f"WA{person.phone}{next(self._ids):05}"
        self._phones.write(person.company, person.phone, f"pedido {person.phone} {number}", wa_id)
        return number

    async def answered(self, seconds: float) -> None:
        """Wait until everybody has all answers; what is missing then is lost."""
        end = time.monotonic() + seconds
        while any(person.waiting() for person in self.people) and time.monotonic() < end:
            self.look()
            await asyncio.sleep(_LOOK_SECONDS)
        await asyncio.sleep(1.5)  # What would be said twice would be said by now.
        self.look()

    def look(self) -> None:
        """Read what has arrived since."""
        now = time.monotonic()
        for line in self._arrived.lines():
            person = self._by_phone.get(line["chat"].partition("@")[0])
            if person is None:
                self.strangers += 1
            else:
                person.reads(now, line["text"])
                person.ended = person.ended or line["text"] in self._ends_with

    def row(self, fault: str, *, well: float | None = None, unresolved: int = 0) -> Row:
        """What became of this try; *well* is when nothing was broken any more."""
        return Row(
            fault,
            lost=sum(len(person.waiting()) for person in self.people),
            doubled=sum(person.doubled() for person in self.people),
            disordered=sum(person.disordered() for person in self.people),
            wrong=self.strangers + sum(person.wrong() for person in self.people),
            unresolved=unresolved,
            seconds=None if well is None else self.recovery(well),
        )

    def takes_as_sent(self, unconfirmed: Sequence[str]) -> None:
        """These replies stayed unconfirmed: what they answer is not answered again."""
        for phone, number in (token for text in unconfirmed for token in tokens_in(text)):
            if phone in self._by_phone:
                self._by_phone[phone].unsaid.add(number)

    def recovery(self, well: float) -> float:
        """The longest that somebody who had written by then waited after *well*."""
        waits = [
            person.answered[number] - well
            for person in self.people
            for number, at in person.written.items()
            if at <= well and person.answered.get(number, well) > well
        ]
        return max(waits, default=0.0)

    def texts(self) -> list[str]:
        """All that anybody read."""
        return [text for person in self.people for _, text in person.read]

    def notices(self) -> list[str]:
        """What was read that answers nothing."""
        return [text for text in self.texts() if not tokens_in(text)]

    def count(self) -> int:
        """How many messages were written."""
        return sum(len(person.written) for person in self.people)

    def longest_silence(self) -> float:
        """The longest that a message had neither an answer nor a notice, which holds on."""
        now = time.monotonic()
        return max(
            min(person.answered.get(number, now), person.heard.get(number, now)) - at
            for person in self.people
            for number, at in person.written.items()
            if at < min(person.heard.values(), default=now)
        )

    def echo(self, *, seconds: float = 0.0, wording: Callable[[str], str] = str) -> Act:
        """The model: the tokens that wait, after *seconds*, if the company's prompt is right.

        *wording* makes the reply of them.
        """

        async def act(request: web.Request) -> web.StreamResponse:
            messages = json.loads(await request.read())["messages"]
            tokens = tokens_in(_ASKED.findall(messages[-1]["content"])[-1][1])
            await asyncio.sleep(seconds)
            ours = all(self._name_of(phone) in messages[0]["content"] for phone, _ in tokens)
            text = ", ".join(f"pedido {phone} {number}" for phone, number in tokens)
            return await says(wording(text) if ours else FOREIGN)(request)

        return act

    def _name_of(self, phone: str) -> str:
        return self._names[self._by_phone[phone].company]

    async def _reading(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _talk(self, person: Person, pause: float, patience: float) -> None:
        while not person.ended:
            await asyncio.sleep(self._dice.uniform(0, 2 * pause))
            for _ in range(self._dice.choice((1, 1, 1, 2, 3))):
                self.write(person)
                await asyncio.sleep(self._dice.uniform(0, 0.3))
            end = time.monotonic() + patience
            while person.waiting() and time.monotonic() < end:  # noqa: ASYNC110 - A file.
                await asyncio.sleep(_LOOK_SECONDS)
