"""The whole road from intake to delivery, put together for whoever hosts it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from bot.background import Background
from bot.config import Settings
from bot.context_cache import ContextCache
from bot.courier import Courier, Pace
from bot.delivery import Delivery
from bot.hosts import Heart, Host
from bot.intake import Intake
from bot.lanes import Chat, Lanes, Slots
from bot.memory import Memory
from bot.merges import Merges
from bot.metrics import Metrics
from bot.notes import Attention
from bot.owner import OwnChat, OwnerWords
from bot.rate_limit import RateLimit
from bot.recall import Recall
from bot.stores import Stores
from bot.sweeper import Sweeper
from bot.turns import Turns
from bot.wire import Wire
from handlers import Handler, Prompts
from models.customer_merges import MergeDesk
from models.desk import Desk
from models.errors import RetryLater
from models.ledger import Ledger
from models.manner import Manner
from models.owner import OwnerDesk
from models.values import Channel

log = logging.getLogger(__name__)

NOTES_DRAIN_SECONDS = 5.0
"""How long what was already said may take to be written into the history at a stop."""

Ring = Callable[[Chat, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Road:
    """The parts that others drive: sessions feed `intake`, `delivery` gets their wires."""

    host: Host
    ledger: Ledger
    desk: Desk
    intake: Intake
    lanes: Lanes
    slots: Slots
    delivery: Delivery
    memory: Memory
    sweeper: Sweeper
    heart: Heart
    _work: Background

    async def finish(self) -> None:
        """Begin no more turns and deliveries, and wait a bounded time for those at work."""
        if self.slots.closed:
            return
        self.lanes.close()
        self.slots.close()
        await self._work.drain()
        await self.delivery.close()


@asynccontextmanager
async def open_road(
    settings: Settings,
    stores: Stores,
    handlers: Sequence[Handler],
    *,
    prompts: Prompts,
    host: Host,
    metrics: Metrics,
    ring: Ring | None = None,
    heard: Callable[[], bool] = lambda: True,
) -> AsyncIterator[Road]:
    """Build the road on open stores. *ring* hands a chat to whoever answers first; without it, and
    while nobody would hear it (*heard*), turns run here.

    Leaving the context finishes the turns at work, writes the history and signs the host off.
    """
    talk = settings.conversation
    ledger, desk = Ledger(stores.call), Desk(stores.call, stores.rows)
    async with AsyncExitStack() as stack:
        notes = await stack.enter_async_context(Background(drain_seconds=NOTES_DRAIN_SECONDS))
        work = await stack.enter_async_context(
            Background(drain_seconds=settings.daemon.drain_seconds)
        )
        cache = ContextCache(stores.redis)
        memory = Memory(stores.conversations, cache, desk, notes)
        recall = Recall(cache, stores.conversations, ledger)

        async def call(chat: Chat, newest: str) -> None:
            if ring is not None and newest and heard():
                if settings.daemon.turns_here and slots.free:
                    recall.begin(chat)
                try:
                    await ring(chat, newest)
                    metrics.rang()
                    return
                except RetryLater as error:
                    log.warning("doorbell is out: turn runs here", extra={"why": str(error)})
            slots.submit(chat)

        lanes = Lanes(
            call,
            notes,
            quiet=talk.quiet_seconds,
            longest=talk.longest_seconds,
            soon=talk.complete_seconds,
            held=lambda chat: delivery.catching_up(chat[0]),
            typing=lambda company, place: delivery.customer_types(company, place),
            later=lambda chat, newest: delivery.ring_later(*chat, newest),
        )
        usual = Manner(mark_read=talk.mark_read, typing=talk.typing, parts=talk.reply_parts)
        pace = Pace(
            talk.pace_seconds_per_character,
            talk.pace_longest_seconds,
            settings.whatsapp.max_age_hours * 3600,
        )

        def courier(wire: Wire, fence: int, only: str | None) -> Courier:
            return Courier(
                wire,
                ledger,
                memory,
                lanes,
                work,
                metrics,
                host=host.id,
                fence=fence,
                pace=pace,
                usual=usual,
                chat=only,
            )

        delivery = Delivery(courier, work)

        def notify(company: UUID, channel: Channel) -> None:
            if delivery.has(company, channel):
                delivery.kick(company, channel)
            else:
                notes.start(_publish(stores, company), name="wake")

        attention = Attention(delivery, partial(_publish, stores), notes, lanes.ring_now)
        turns = Turns(
            ledger,
            handlers,
            recall,
            host=host.id,
            prompts=prompts,
            metrics=metrics,
            pause_minutes=talk.pause_minutes,
            retry_minutes=settings.llm.retry_minutes,
            notice_minutes=settings.llm.notice_minutes,
            offer=delivery.offer,
            joined=attention.again,
            notify=notify,
            usual=usual,
            attend=attention.begin,
            leave=attention.end,
        )
        slots = Slots(
            turns.run,
            work,
            per_company=settings.limits.turns_per_company,
            per_host=settings.limits.turns_per_host,
        )
        owner = OwnerWords(
            OwnerDesk(stores.call),
            memory,
            metrics,
            OwnChat(delivery.wire, notes),
            pause_minutes=talk.pause_minutes,
            resume_word=talk.resume_word,
            zone=settings.alerts.time_zone,
            notify=notify,
        )
        limit = RateLimit(stores.redis, limit=settings.limits.messages_per_minute)
        metrics.watch("rate_limit_local", lambda: limit.counted_here)
        intake = Intake(
            ledger,
            limit,
            lanes,
            memory,
            prompts=prompts,
            metrics=metrics,
            owner=owner,
            notify=notify,
        )
        sweeper = Sweeper(
            desk,
            lanes,
            slots,
            delivery,
            memory,
            Merges(MergeDesk(stores.call, stores.rows), stores.conversations, cache),
            host=host,
            grace_seconds=talk.quiet_seconds + 1.0,
            oldest_seconds=settings.whatsapp.max_age_hours * 3600.0,
        )
        metrics.watch("turns_running", lambda: len(slots.running))
        heart = Heart(desk, host)
        await heart.begin()
        road = Road(
            host, ledger, desk, intake, lanes, slots, delivery, memory, sweeper, heart, work
        )
        try:
            yield road
        finally:
            await road.finish()
            await notes.drain()
            await memory.flush()
            await _sign_off(heart)


async def _publish(stores: Stores, company: UUID, note: bytes = b"") -> None:
    try:
        await stores.redis.wake(company, note)
    except RetryLater as error:
        log.info("nobody was woken; the sweep finds it", extra={"why": str(error)})


async def _sign_off(heart: Heart) -> None:
    try:
        async with asyncio.timeout(2):
            await heart.end()
    except (RetryLater, TimeoutError) as error:
        log.warning("could not sign off", extra={"why": str(error)})
