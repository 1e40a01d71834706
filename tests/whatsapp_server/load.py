"""Customers of many owners who write and wait for the reply, measured from their phones."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from tests.whatsapp_server.people import Customer, Owner, Received
from tests.whatsapp_server.server import WhatsAppServer

_EVERYBODY = "0000"
_SAMPLES = 5


@dataclass(frozen=True)
class Order:
    """How much each customer writes; the next message follows the reply, then *pause* seconds."""

    messages: int = 1
    reply_seconds: float = 60.0
    pause: float = 0.0
    text: str = "hola {customer} {number}"
    echoes: bool = False
    shared: bool = False
    """The same people write to every company, to all at once."""


@dataclass
class Tally:
    """What came back; *wrong* are other words than an echo's, which another's would be too."""

    began: float = field(default_factory=time.monotonic)
    waits: list[float] = field(default_factory=list)
    lost: int = 0
    wrong: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, object]:
        """Counts, a few of the wrong, seconds of the whole, and milliseconds of the waits."""
        waits = sorted(self.waits) or [0.0]
        seconds = time.monotonic() - self.began
        return {
            "replies": len(self.waits),
            "lost": self.lost,
            "wrong": len(self.wrong),
            "samples": self.wrong[:_SAMPLES],
            "seconds": round(seconds, 3),
            "per_second": round(len(self.waits) / seconds, 1),
            "p50_ms": round(1000 * waits[len(waits) // 2], 1),
            "p99_ms": round(1000 * waits[len(waits) * 99 // 100], 1),
            "max_ms": round(1000 * waits[-1], 1),
        }


class Letterbox(asyncio.Queue[Received]):
    """A customer's replies, each company's apart from the others'."""

    def __init__(self) -> None:
        super().__init__()
        self._of: dict[str, asyncio.Queue[Received]] = {}

    def of(self, owner: Owner) -> asyncio.Queue[Received]:
        """Where this company's replies lie."""
        return self._of.setdefault(owner.lid, asyncio.Queue())

    def put_nowait(self, item: Received) -> None:
        """As the customer's phone does."""
        self._of.setdefault(item.sender.user, asyncio.Queue()).put_nowait(item)

    def qsize(self) -> int:
        """Replies that nobody waited for."""
        return sum(one.qsize() for one in self._of.values())


class Crowd:
    """The customers of a server's owners, made when they are first needed."""

    def __init__(self, server: WhatsAppServer) -> None:
        self._server = server
        self._of: dict[str, list[Customer]] = {}
        self._written = 0

    def customers(self, group: str, count: int) -> list[Customer]:
        """The first *count* of a group: an owner's, by the number, or those of all owners."""
        known = self._of.setdefault(group, [])
        while len(known) < count:
            number = f"{group[-4:]}{len(known):05}"
            customer = self._server.add_customer(f"5299{number}", f"88{number}", f"Eva {number}")
            known.append(customer)
        return known[:count]

    def unread(self) -> int:
        """Replies that nobody waited for, since the last drive of each customer began."""
        return sum(one.inbox.qsize() for group in self._of.values() for one in group)

    async def drive(self, owners: Iterable[Owner], customers: int, order: Order) -> Tally:
        """Everybody at once, each in their own order."""
        tally = Tally()
        pairs = [
            (owner, customer)
            for owner in owners
            for customer in self.customers(_EVERYBODY if order.shared else owner.number, customers)
        ]
        for _, customer in pairs:
            customer.inbox = Letterbox()  # What came after the last drive is nobody's reply.
        await asyncio.gather(*(self._converse(*pair, order, tally) for pair in pairs))
        return tally

    async def _converse(self, owner: Owner, customer: Customer, order: Order, tally: Tally) -> None:
        letters = cast("Letterbox", customer.inbox).of(owner)
        for number in range(order.messages):
            self._written += 1
            text = order.text.format(owner=owner.number, customer=customer.lid, number=number)
            begun = time.monotonic()
            stanza = customer.write(owner, text, wa_id=f"3AC0{self._written:016X}")
            await self._server.deliver(owner, stanza)
            try:
                reply = await asyncio.wait_for(letters.get(), order.reply_seconds)
            except TimeoutError:
                tally.lost += 1
                continue
            tally.waits.append(time.monotonic() - begun)
            if order.echoes and reply.text != text:
                tally.wrong.append(f"{text!r} got {reply.text!r}")
            if order.pause:
                await asyncio.sleep(order.pause)


def order_of(words: Mapping[str, object]) -> Order:
    """The order in a command; what it does not say keeps its default."""
    return Order(**{name: words[name] for name in Order.__annotations__ if name in words})  # type: ignore[arg-type]
