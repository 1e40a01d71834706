"""The three stores, ours or the operator's: which URL each has, and all of them open."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bot.config import Settings
from bot.config import Stores as StoreSettings
from bot.embedded import MONGOD, POSTGRES, VALKEY, services
from bot.redis_store import RedisStore, open_redis
from models.conversations import Conversations, open_conversations
from models.database import Database, connect

ALL = (POSTGRES, VALKEY, MONGOD)

Call = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the stores answer; empty for a store that was not asked for."""

    postgres: str = ""
    redis: str = ""
    mongo: str = ""


@dataclass(frozen=True, slots=True)
class Stores:
    """All stores, open."""

    urls: Urls
    database: Database
    redis: RedisStore
    conversations: Conversations

    @property
    def call(self) -> Call:
        """One SQL function, one row."""
        return self.database.call

    @property
    def rows(self) -> Call:
        """One SQL function, any number of rows."""
        return self.database.rows


@asynccontextmanager
async def urls_of(
    settings: StoreSettings,
    names: Iterable[str] = ALL,
    *,
    progress: Callable[[str], None] | None = None,
) -> AsyncIterator[Urls]:
    """The URLs of the stores in *names*; a store without one in the settings is started.

    Leaving the context returns only when private servers that nobody else uses have ended.
    """
    own = _own(settings)
    lacking = private(settings, names)
    wanted = {name: own[name] for name in names if own[name]}
    if not lacking:
        yield _urls(wanted)
        return
    async with services(settings.data_dir, lacking, progress=progress) as started:
        yield _urls({**wanted, **started})


@asynccontextmanager
async def open_stores(settings: Settings, urls: Urls) -> AsyncIterator[Stores]:
    """Open all three stores; raises Unavailable with one sentence for the first that is away."""
    sizes = settings.stores
    async with (
        connect(urls.postgres, connections=sizes.postgres_connections) as database,
        open_redis(urls.redis, connections=sizes.redis_connections) as redis,
        open_conversations(urls.mongo, sizes.mongo_database) as conversations,
    ):
        yield Stores(urls, database, redis, conversations)


def private(settings: StoreSettings, names: Iterable[str] = ALL) -> list[str]:
    """Those of *names* without a URL: private ones, each in a folder of its name."""
    own = _own(settings)
    return [name for name in names if not own[name]]


def _own(settings: StoreSettings) -> dict[str, str]:
    return {POSTGRES: settings.postgres, VALKEY: settings.redis, MONGOD: settings.mongo}


def _urls(found: Mapping[str, str]) -> Urls:
    return Urls(found.get(POSTGRES, ""), found.get(VALKEY, ""), found.get(MONGOD, ""))
