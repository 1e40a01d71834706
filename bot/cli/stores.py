"""Opens only the stores a command needs, private ones where the configuration names none."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.config import Settings
from bot.embedded import POSTGRES
from bot.stores import urls_of
from models.database import Database, check, connect

CONNECTIONS = 2


@asynccontextmanager
async def postgres_url(settings: Settings) -> AsyncIterator[str]:
    """Where PostgreSQL answers; private, it runs at least as long as the block."""
    async with urls_of(settings.stores, [POSTGRES], progress=progress) as urls:
        yield urls.postgres


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """PostgreSQL, checked and open for the models."""
    async with postgres_url(settings) as url:
        await check(url)
        async with connect(url, connections=CONNECTIONS) as database:
            yield database


def progress(text: str) -> None:
    """Long steps are told to a person at a terminal, beside the output and never in it."""
    if sys.stderr.isatty():
        print(f"lyrox: {text}", file=sys.stderr, flush=True)
