"""The road, wired as the daemon wires it, with phones in memory where WhatsApp would be."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from benchmarks.subject import Accept, Phones, Setting
from bot.config import Settings
from bot.garbage import expect_long_life
from bot.hosts import Host
from bot.jobs import Doorbell, open_doorbell
from bot.lanes import Chat
from bot.llm import open_model
from bot.metrics import Metrics
from bot.road import Road, open_road
from bot.stores import open_stores
from bot.wakes import Wakes
from bot.wire import Outgoing, OwnerHand, Settlement, Unsettled
from handlers import build, load_prompts
from models.values import Channel

_ALONE = OwnerHand()


class PhoneWire:
    """One company's wire; a text arrives the moment it is sent."""

    channel = Channel.WHATSAPP
    connected = True

    def __init__(self, company_id: UUID, phones: Phones) -> None:
        self.company_id = company_id
        self._phones = phones

    def owner_hand(self, _chat: str) -> OwnerHand:
        """The owner stays away."""
        return _ALONE

    async def take_picture(self, _: str) -> bytes | None:
        """Nothing here has a picture."""
        return None

    @property
    def catching_up(self) -> bool:
        return False

    def customer_types(self, _chat: str) -> bool:
        """Nobody here is told."""
        return False

    async def typing(self, _chat: str, on: bool) -> None:
        """Nobody watches."""

    async def mark_read(self, _chat: str, wa_ids: Sequence[str]) -> None:
        """Nobody watches."""

    async def sessions_hash(self, _chat: str) -> str | None:
        """There is no ratchet."""
        return None

    async def send(self, outgoing: Outgoing) -> str:
        """It has arrived."""
        return self._phones.ring(outgoing.chat)

    async def settle(self, unsettled: Sequence[Unsettled]) -> list[Settlement]:
        """Nothing was left open."""
        return [Settlement(one.outbox_id, sent=False) for one in unsettled]


def settings_for(setting: Setting) -> Settings:
    """The defaults, without waits for quiet and pace, and with caps above the load."""
    target = {"name": "bench", "model": "bench-1", "base_url": setting.model_url, "api_key": ""}
    return Settings.model_validate(
        {
            "stores": {"mongo_database": setting.mongo_database},
            "conversation": {
                "quiet_seconds": 0,
                "longest_seconds": 0,
                "pace_seconds_per_character": 0,
                "pace_longest_seconds": 0,
            },
            "limits": {"turns_per_company": 1000, "turns_per_host": 1000},
            "llm": {"targets": [target]},
        }
    )


@asynccontextmanager
async def opened(setting: Setting) -> AsyncIterator[Accept]:
    """The road with all loops of the daemon that have to do with it; yields its intake."""
    settings, prompts, metrics = settings_for(setting), load_prompts(), Metrics()
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(settings, setting.urls))
        doorbell = await stack.enter_async_context(open_doorbell(setting.urls.redis))
        model = await stack.enter_async_context(
            open_model(settings.llm, prompts, secrets=lambda _: None, on_call=metrics.llm_call)
        )

        async def ring(chat: Chat, newest: str) -> None:
            await doorbell.ring(*chat, newest, datetime.now(UTC))

        road = await stack.enter_async_context(
            open_road(
                settings,
                stores,
                build(model, prompts, settings.conversation.pause_minutes),
                prompts=prompts,
                host=Host(uuid4(), "benchmark", 0, "daemon"),
                metrics=metrics,
                ring=ring,
            )
        )
        await _attach(road, setting)
        await stack.enter_async_context(_running(_loops(road, doorbell, Wakes(stores.redis))))
        expect_long_life()
        yield road.intake.accept


async def _attach(road: Road, setting: Setting) -> None:
    for company in setting.population.companies:
        fence = await road.ledger.lease(company, road.host.id)
        await road.delivery.attach(PhoneWire(company, setting.phones), fence or 0)


def _loops(road: Road, doorbell: Doorbell, wakes: Wakes) -> list[Coroutine[Any, Any, object]]:
    def submit(company_id: UUID, customer_id: UUID) -> None:
        road.slots.submit((company_id, customer_id))

    async def hear() -> None:
        async for company_id in wakes:
            road.delivery.kick(company_id, Channel.WHATSAPP)

    return [
        road.heart.run(),
        road.memory.run(),
        road.sweeper.run(),
        doorbell.answer(submit),
        hear(),
    ]


@asynccontextmanager
async def _running(loops: Sequence[Coroutine[Any, Any, object]]) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
