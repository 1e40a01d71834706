"""Finds what no lane, doorbell or courier holds any more, every second and at start."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from bot.delivery import Delivery
from bot.hosts import Host
from bot.lanes import Lanes, Slots
from bot.memory import Memory
from bot.merges import Merges
from models.desk import Desk
from models.errors import RetryLater

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
STRAY_SECONDS = 3.0
"""A turn that this host claimed this long ago and does not run has been dropped on the way.

Longer than a sweep takes to say what runs; where one takes longer still, a turn may be asked twice,
and the ledger takes one answer.
"""
RING_SECONDS = 90.0
"""No phone rings for so long: WhatsApp gives a call up after about a minute."""
FORGOTTEN_SECONDS = 20.0
"""A ledger row not known to be remembered after this long is written again.

Longer than `Memory` takes when nobody replies.
"""
FORGOTTEN_AT_ONCE = 1000
"""Of each ledger, every five rounds: an hour without MongoDB is caught up with in minutes."""


class Sweeper:
    """Brings back waiting chats, stray turns, ready parts, unwritten and divided history.

    *grace_seconds*: younger messages are left to their lanes. *oldest_seconds*: what waited longer
    in a paused chat is not answered any more.
    """

    def __init__(
        self,
        desk: Desk,
        lanes: Lanes,
        slots: Slots,
        delivery: Delivery,
        memory: Memory,
        merges: Merges,
        *,
        host: Host,
        grace_seconds: float,
        oldest_seconds: float,
    ) -> None:
        self._desk = desk
        self._lanes = lanes
        self._slots = slots
        self._delivery = delivery
        self._memory = memory
        self._merges = merges
        self._host = host
        self._grace_seconds = grace_seconds
        self._oldest_seconds = oldest_seconds
        self._rounds = 0

    async def run(self, stamp: Callable[[], None] = lambda: None) -> None:
        """Sweep for ever, with a *stamp* each round.

        The first round takes young messages too: their lanes are gone.
        """
        grace = 0.0
        while True:
            stamp()
            try:
                await self.sweep(grace)
                grace = self._grace_seconds
            except RetryLater as error:
                log.warning("not swept: a store does not answer", extra={"why": str(error)})
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self, grace_seconds: float) -> None:
        """One round."""
        running = [customer for _, customer in self._slots.running]
        inbox, outbox = self._memory.take_ripe()
        await self._desk.tidy(
            self._host.id, running, age_seconds=STRAY_SECONDS, inbox=inbox, outbox=outbox
        )
        if self._rounds % 5 == 0:
            await self._desk.rung_out(seconds=RING_SECONDS)
            await self._desk.take_up(seconds=self._oldest_seconds)
        waiting = await self._desk.waiting(self._host.id, grace_seconds=grace_seconds)
        for company, customer, newest in waiting:
            chat = (company, customer)
            if chat not in self._slots:
                self._lanes.ring_now(chat, newest or "")
        for company, channel in await self._desk.ready():
            self._delivery.kick(company, channel)
        await self._heal()
        if self._rounds % 5 == 0:
            forgotten = await self._desk.unremembered(
                age_seconds=FORGOTTEN_SECONDS, limit=FORGOTTEN_AT_ONCE
            )
            self._memory.remember_all(forgotten)
            await self._merges.finish()
        self._rounds += 1

    async def _heal(self) -> None:
        with suppress(RetryLater):  # Redis is away; the next round tries again.
            await self._memory.heal()
