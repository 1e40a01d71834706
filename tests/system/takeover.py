"""A company with the real client and a model that waits for a word: where owners take over.

Every arrival has its time, taken where the customer's phone reads it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from aiohttp import web

from tests.bot.whatsapp.conftest import open_server
from tests.builders import admin, make_company
from tests.fakes.openai_server import Act, FakeOpenAI, says
from tests.system.process import Daemon, Home, running
from tests.whatsapp_server.nursery import seed
from tests.whatsapp_server.people import Customer, Owner, Received
from tests.whatsapp_server.server import WhatsAppServer

LATEST = 0.3
"""Nothing may be handed to the client later than this after the callback began."""
PARAGRAPH = "Te cuento con calma cómo es el plan, qué incluye y cómo empezamos. " * 4
LONG = "\n\n".join([PARAGRAPH.strip()] * 3)
PACE = 1.0

SETTLED = PACE + 1.0
"""By then whatever could still arrive has arrived."""

_numbers = count(1)


class Timed(asyncio.Queue[Received]):
    """A customer's inbox that keeps when each bubble arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[float] = []

    def put_nowait(self, item: Received) -> None:
        """As the phone does."""
        self.at.append(time.monotonic())
        super().put_nowait(item)


@dataclass
class Model:
    """A language model that says what it is told, when it is told."""

    fake: FakeOpenAI
    text: str = "¡Claro!"
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def waits(self) -> None:
        """From now on it thinks until `go_on`."""
        self.asked.clear()
        self.go_on.clear()

    def act(self) -> Act:
        """What the server does."""

        async def act(request: web.Request) -> web.StreamResponse:
            self.asked.set()
            await self.go_on.wait()
            return await says(self.text)(request)

        return act


@dataclass
class Shop:
    """The company, its phone, and the daemon that hosts it."""

    server: WhatsAppServer
    home: Home
    company: UUID
    owner: Owner
    look: asyncpg.Connection
    model: Model

    def at_rest(self) -> None:
        """A model that answers at once, and nothing seen."""
        self.model.text = "¡Claro!"
        self.model.go_on.set()
        self.server.seen.clear()

    def customer(self) -> Customer:
        """Somebody who has not written before."""
        number = next(_numbers)
        customer = self.server.add_customer(f"52155{number:08}", f"777{number:09}", "Ana")
        customer.inbox = Timed()
        return customer

    async def write(self, customer: Customer, text: str = "hola", **more: Any) -> None:
        """The customer writes."""
        wa_id = f"3AC{next(_numbers):05X}"
        await self.server.deliver(self.owner, customer.write(self.owner, text, wa_id=wa_id, **more))

    async def owner_types(self, customer: Customer | None, text: str = "") -> float:
        """The owner types on the phone, never the same twice; when that reached the client."""
        text = text or f"te atiendo yo, {next(_numbers)}"
        message = self.server.protos.e2e.Message(conversation=text)
        stanza = self.owner.says(customer, message, wa_id=f"3A0{next(_numbers):05X}")
        await self.server.deliver(self.owner, stanza)
        return time.monotonic()

    @asynccontextmanager
    async def daemon(self, home: Home | None = None, *words: str) -> AsyncIterator[Daemon]:
        """A daemon that is ready; killed at the end."""
        home = home or self.home
        async with running(home, *words, env=self.server.environment) as daemon:
            await daemon.ready()
            yield daemon

    async def connected(self) -> None:
        """Wait until the client takes messages."""
        await self.until(self._connected)

    async def until(self, claim: Callable[[], Awaitable[Any]], seconds: float = 50) -> None:
        """Wait until *claim* holds."""
        async with asyncio.timeout(seconds):
            while not await claim():  # noqa: ASYNC110 - The claim is about other processes.
                await asyncio.sleep(0.005)

    async def typed(self, customer: Customer) -> None:
        """Wait until "typing…" is shown to the customer."""
        await self.until(lambda: self._shown(customer, "composing"))

    def read(self, customer: Customer) -> list[str]:
        """The ids of the customer's messages that got two blue ticks."""
        return [
            wa_id
            for node in self.server.seen
            if node.tag == "receipt" and node.get("type") == "read"
            if node.attrs.get("to") in (customer.lid_jid, customer.jid)
            for wa_id in (node.get("id"), *(i.get("id") for i in node.child("list").children))
        ]

    async def rows(self, customer: Customer, table: str) -> list[tuple[str, str | None]]:
        """States and reasons of the customer's rows."""
        found = await self.look.fetch(
            f"SELECT t.state, t.reason FROM {table} t"  # noqa: S608
            " JOIN customers c ON c.id = t.customer_id WHERE c.phone = $1 ORDER BY t.id",
            f"+{customer.number}",
        )
        return [(row["state"], row["reason"]) for row in found]

    async def paused(self, customer: Customer) -> bool:
        """Whether the chat is durably the owner's."""
        query = "SELECT paused_until > now() FROM customers WHERE phone = $1"
        return bool(await self.look.fetchval(query, f"+{customer.number}"))

    async def _shown(self, customer: Customer, state: str) -> bool:
        return any(
            node.tag == "chatstate"
            and node.attrs.get("to") in (customer.lid_jid, customer.jid)
            and node.child(state).tag
            for node in self.server.seen
        )

    async def _connected(self) -> bool:
        line = self.server.online.get(self.owner.number)
        return line is not None and line.active


def arrivals(customer: Customer) -> list[float]:
    """When the customer's bubbles arrived."""
    inbox = customer.inbox
    assert isinstance(inbox, Timed)
    return inbox.at


def late(customer: Customer, since: float) -> list[float]:
    """Arrivals that came too long after the owner had typed, in seconds."""
    return [at - since for at in arrivals(customer) if at - since > LATEST]


@asynccontextmanager
async def open_shop(
    folder: Path, urls: Mapping[str, str], **conversation: object
) -> AsyncIterator[Shop]:
    """One paired company; no daemon runs yet."""
    async with FakeOpenAI() as fake, open_server(folder) as server:
        fake.keep_log = False
        model = Model(fake)
        model.go_on.set()
        fake.always(model.act())
        talk = {"quiet_seconds": 0.1, "longest_seconds": 1.0, "pace_seconds_per_character": 0.1}
        home = Home(
            folder / "home",
            stores=urls,
            conversation={**talk, "pace_longest_seconds": PACE, **conversation},
            llm={"targets": [target(fake)], "deadline_seconds": 60.0},
            limits={"messages_per_minute": 0, "robot_turns": 0},
        )
        company = await make_company(urls["postgres"], slug="panaderia")
        owner = server.owner("5215512345678", "111222333444555")
        await seed(server, home.state_dir, {company: owner})
        look = await admin(urls["postgres"])
        try:
            yield Shop(server, home, company, owner, look, model)
        finally:
            await look.close()


def target(fake: FakeOpenAI) -> dict[str, object]:
    """The model as a target of the configuration."""
    known = {"name": "fake", "model": "m", "base_url": fake.url, "api_key": ""}
    return {**known, "try_seconds": 60.0}


async def is_silent(shop: Shop, customer: Customer, since: float) -> None:
    """Nothing came late, what arrived is on record as sent, and nothing is left to be sent."""
    await asyncio.sleep(SETTLED)
    assert late(customer, since) == []
    assert await shop.paused(customer)
    states = [state for state, _ in await shop.rows(customer, "outbox")]
    assert states.count("sent") == len(arrivals(customer))
    assert {"ready", "sending"}.isdisjoint(states)
    assert all(state == "silent" for state, _ in await shop.rows(customer, "inbox")) or arrivals(
        customer
    )
