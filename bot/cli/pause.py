"""``lyrox pause`` and ``lyrox resume``: silence a company or one chat, and end it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bot.cli.arguments import Arguments
from bot.cli.stores import progress
from bot.config import Settings, find, load
from bot.embedded import POSTGRES, VALKEY
from bot.redis_store import open_redis
from bot.shard import daemon_runs
from bot.stores import Urls, urls_of
from models.companies import Company, find_company, pause_company
from models.customers import find_customer, pause_customer
from models.database import check, connect
from models.errors import RetryLater, Unavailable


def pause(arguments: Arguments) -> int:
    """Silence a company until it is resumed, or one chat for the configured minutes."""
    return _run(arguments, _pause)


def resume(arguments: Arguments) -> int:
    """End the silence that a command, the owner or a hand-over began."""
    return _run(arguments, _resume)


Act = Callable[[Company, str | None, Settings], Awaitable[str]]


def _run(arguments: Arguments, act: Act) -> int:
    settings = load(find(arguments.config))
    print(asyncio.run(_told(settings, arguments, act)))
    return 0


async def _told(settings: Settings, arguments: Arguments, act: Act) -> str:
    async with _open(settings) as urls:
        company = await find_company(arguments.company)
        sentence = await act(company, arguments.customer, settings)
        await _wake(urls, company.id)
    return sentence


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[Urls]:
    heard = bool(settings.stores.redis) or daemon_runs(settings.daemon.state_dir)
    names = [POSTGRES, VALKEY] if heard else [POSTGRES]
    async with urls_of(settings.stores, names, progress=progress) as urls:
        await check(urls.postgres)
        async with connect(urls.postgres, connections=2):
            yield urls


async def _wake(urls: Urls, company_id: UUID) -> None:
    if not urls.redis:
        return
    with suppress(RetryLater, Unavailable):  # Only a hint; the sweep finds it without.
        async with open_redis(urls.redis, connections=2) as redis:
            await redis.wake(company_id)


async def _pause(company: Company, customer: str | None, settings: Settings) -> str:
    if customer is None:
        await pause_company(company.id, True)
        return f"{company.slug} is silent until `lyrox resume {company.slug}`."
    chat = await find_customer(company.id, customer)
    minutes = company.pause_minutes or settings.conversation.pause_minutes
    until = datetime.now(UTC) + timedelta(minutes=minutes)
    if chat.paused_until and chat.paused_until > until:
        return f"{chat.phone} is silent already, until {_clock(chat.paused_until)}."
    await pause_customer(company.id, chat.id, until=until)
    return f"{chat.phone} is silent until {_clock(until)}."


async def _resume(company: Company, customer: str | None, settings: Settings) -> str:
    del settings
    if customer is None:
        await pause_company(company.id, False)
        return f"{company.slug} answers again; chats that are paused by themselves stay so."
    chat = await find_customer(company.id, customer)
    await pause_customer(company.id, chat.id, until=None)
    if chat.opted_out:
        return f"{chat.phone} has asked for no more messages and stays silent."
    return f"{chat.phone} is answered again{_but(company)}."


def _but(company: Company) -> str:
    return f" once {company.slug} is resumed too" if company.paused else ""


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M %Z}"
