"""``lyrox db migrate``: touches PostgreSQL and nothing else."""

import asyncio

from bot.cli.arguments import Arguments
from bot.cli.stores import postgres_url
from bot.config import Settings, find, load
from models.database import check, migrate


def migrate_database(arguments: Arguments) -> int:
    """Bring the schema up to date, one at a time; says what was applied."""
    applied = asyncio.run(_migrate(load(find(arguments.config))))
    print(f"applied {', '.join(applied)}" if applied else "the database is up to date")
    return 0


async def _migrate(settings: Settings) -> list[str]:
    async with postgres_url(settings) as url:
        applied = await migrate(url)
        await check(url)
    return applied
