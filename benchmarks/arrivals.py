"""What a measured process is told on its standard input, and the load that is told to it."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

from benchmarks.population import Population, phone_of
from models.values import Channel, InboundMessage, Sender

_TEXT = "¿Y el plan también sirve si entreno en casa? Tengo poco tiempo entre semana."


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message: its number, whose it is, and when the load generator let it go."""

    number: int
    customer: int
    at: float

    def line(self) -> bytes:
        """As it goes through the pipe."""
        return b"%d %d %.6f\n" % (self.number, self.customer, self.at)

    @staticmethod
    def read(line: bytes) -> "Arrival":
        """The way back from `line`."""
        number, customer, at = line.split()
        return Arrival(int(number), int(customer), float(at))


class People:
    """Makes the messages of a population, as a session's reader would."""

    def __init__(self, population: Population) -> None:
        everybody = range(population.everybody)
        self._companies = [population.company_of(number) for number in everybody]

    def message(self, arrival: Arrival) -> InboundMessage:
        """What that customer writes."""
        phone = phone_of(arrival.customer)
        return InboundMessage(
            company_id=self._companies[arrival.customer],
            wa_id=f"3EB0{arrival.number:018X}",
            channel=Channel.WHATSAPP,
            sender=Sender.CUSTOMER,
            phone=phone,
            chat=f"{phone[1:]}@s.whatsapp.net",
            text=_TEXT,
            sent_at=datetime.now(UTC),
            name="Cliente",
        )


def customer_in(chat: str) -> int:
    """The customer whose chat that is."""
    return int(chat[4:11])


def poisson(rate: float, seconds: float, *, seed: int) -> list[float]:
    """Times of a Poisson process, from 0 to *seconds*."""
    source = random.Random(seed)
    times: list[float] = []
    at = source.expovariate(rate)
    while at < seconds:
        times.append(at)
        at += source.expovariate(rate)
    return times


def send(
    times: list[float], customers: Iterator[int], pipe: IO[bytes], *, numbers: Iterator[int]
) -> None:
    """Let one message go at each of *times*; its clock starts when it enters the pipe."""
    began = time.monotonic()
    for at in times:
        if (wait := began + at - time.monotonic()) > 0:
            time.sleep(wait)
        pipe.write(Arrival(next(numbers), next(customers), time.monotonic()).line())
        pipe.flush()
