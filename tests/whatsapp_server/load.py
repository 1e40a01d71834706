"""Customers of many owners who write and wait for the reply, measured from their phones."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.whatsapp_server.people import Customer, Owner, Received
from tests.whatsapp_server.server import WhatsAppServer


@dataclass(frozen=True)
class Order:
    """How much each customer writes; the next message follows the reply, then *pause* seconds."""

    messages: int = 1
    reply_seconds: float = 60.0
    pause: float = 0.0
    text: str = "hola {customer} {number}"
    echoes: bool = False


@dataclass
class Tally:
    """What came back; *wrong* are replies from another company, or other words than an echo's."""

    began: float = field(default_factory=time.monotonic)
    waits: list[float] = field(default_factory=list)
    lost: int = 0
    wrong: int = 0

    def summary(self) -> dict[str, float]:
        """Counts, seconds of the whole, and milliseconds of the waits."""
        waits = sorted(self.waits) or [0.0]
        seconds = time.monotonic() - self.began
        return {
            "replies": len(self.waits),
            "lost": self.lost,
            "wrong": self.wrong,
            "seconds": round(seconds, 3),
            "per_second": round(len(self.waits) / seconds, 1),
            "p50_ms": round(1000 * waits[len(waits) // 2], 1),
            "p99_ms": round(1000 * waits[len(waits) * 99 // 100], 1),
            "max_ms": round(1000 * waits[-1], 1),
        }


class Crowd:
    """The customers of a server's owners, made when they are first needed."""

    def __init__(self, server: WhatsAppServer) -> None:
        self._server = server
        self._of: dict[str, list[Customer]] = {}
        self._written = 0

    def customers(self, owner: Owner, count: int) -> list[Customer]:
        """The first *count* of an owner's customers."""
        known = self._of.setdefault(owner.number, [])
        while len(known) < count:
            number = f"{owner.number[-4:]}{len(known):05}"
            customer = self._server.add_customer(f"5299{number}", f"88{number}", f"Eva {number}")
            known.append(customer)
        return known[:count]

    async def drive(self, owners: Iterable[Owner], customers: int, order: Order) -> Tally:
        """Everybody at once, each in their own order."""
        tally = Tally()
        await asyncio.gather(
            *(
                self._converse(owner, customer, order, tally)
                for owner in owners
                for customer in self.customers(owner, customers)
            )
        )
        return tally

    async def _converse(self, owner: Owner, customer: Customer, order: Order, tally: Tally) -> None:
        customer.inbox = asyncio.Queue()  # What came after the last drive is nobody's reply.
        for number in range(order.messages):
            self._written += 1
            text = order.text.format(owner=owner.number, customer=customer.lid, number=number)
            begun = time.monotonic()
            stanza = customer.write(owner, text, wa_id=f"3AC0{self._written:016X}")
            await self._server.deliver(owner, stanza)
            try:
                reply = await asyncio.wait_for(customer.inbox.get(), order.reply_seconds)
            except TimeoutError:
                tally.lost += 1
                continue
            tally.waits.append(time.monotonic() - begun)
            tally.wrong += not _is_right(reply, owner, text if order.echoes else None)
            if order.pause:
                await asyncio.sleep(order.pause)


def _is_right(reply: Received, owner: Owner, echo: str | None) -> bool:
    return reply.sender.user == owner.lid and echo in (None, reply.text)


def order_of(words: Mapping[str, object]) -> Order:
    """The order in a command; what it does not say keeps its default."""
    return Order(**{name: words[name] for name in Order.__annotations__ if name in words})  # type: ignore[arg-type]
