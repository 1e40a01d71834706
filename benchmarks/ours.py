"""The road, wired as the daemon wires it, with phones in memory where WhatsApp would be."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

from benchmarks.subject import Accept, Setting
from bot.config import Settings
from bot.garbage import expect_long_life
from bot.hosts import Host
from bot.jobs import Doorbell, open_doorbell
from bot.lanes import Chat
from bot.llm import open_model
from bot.metrics import Metrics
from bot.road import Road, open_road
from bot.stores import Urls, open_stores
from bot.wakes import Wakes
from bot.wire import Outgoing, OwnerHand, Settlement, Unsettled
from handlers import build, load_prompts
from models.values import Channel

_ALONE = OwnerHand()


class Ringing(Protocol):
    """Where texts arrive."""

    def ring(self, chat: str) -> str:
        """A text is there; its id."""


class PhoneWire:
    """One company's wire; a text arrives the moment it is sent."""

    channel = Channel.WHATSAPP
    connected = True

    def __init__(self, company_id: UUID, phones: Ringing) -> None:
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


CAPS_ABOVE_THE_LOAD = {"turns_per_company": 1000, "turns_per_host": 1000}


def settings_for(model_url: str, mongo_database: str, limits: Mapping[str, int]) -> Settings:
    """The defaults, without waits for quiet and pace, and with these *limits*."""
    target = {"name": "bench", "model": "bench-1", "base_url": model_url, "api_key": ""}
    return Settings.model_validate(
        {
            "stores": {"mongo_database": mongo_database},
            "conversation": {
                "quiet_seconds": 0,
                "longest_seconds": 0,
                "pace_seconds_per_character": 0,
                "pace_longest_seconds": 0,
            },
            "limits": limits,
            "llm": {"targets": [target]},
        }
    )


@asynccontextmanager
async def opened(setting: Setting) -> AsyncIterator[Accept]:
    """The road as `opened_road` has it, with a wire for everybody; yields its intake."""
    settings = settings_for(setting.model_url, setting.mongo_database, CAPS_ABOVE_THE_LOAD)
    async with opened_road(settings, setting.urls) as road:
        await attach(road, setting.population.companies, setting.phones)
        expect_long_life()
        yield road.intake.accept


@asynccontextmanager
async def opened_road(settings: Settings, urls: Urls) -> AsyncIterator[Road]:
    """The road with all loops of the daemon that have to do with it."""
    prompts, metrics = load_prompts(), Metrics()
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(settings, urls))
        doorbell = await stack.enter_async_context(open_doorbell(urls.redis))
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
        await stack.enter_async_context(_running(_loops(road, doorbell, Wakes(stores.redis))))
        yield road


async def attach(road: Road, companies: Sequence[UUID], phones: Ringing) -> None:
    """Give each company its wire, or another one."""
    for company in companies:
        fence = await road.ledger.lease(company, road.host.id)
        await road.delivery.attach(PhoneWire(company, phones), fence or 0)


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
