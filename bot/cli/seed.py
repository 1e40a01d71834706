"""``lyrox seed``: the pilot company, put in place as often as you like."""

import asyncio

from bot.cli.arguments import Arguments
from bot.cli.companies import new_owner
from bot.cli.stores import open_database
from bot.config import Settings, find, load
from bot.seed import Seeded, seed_emilio_born


def seed(arguments: Arguments) -> int:
    """Store what is missing of the pilot company and say what there is."""
    seeded = asyncio.run(_seed(load(find(arguments.config))))
    print(f"{'stored' if seeded.created else 'already there:'} {seeded.slug} ({seeded.company_id})")
    if seeded.password:
        print(new_owner(seeded.email, seeded.password))
    return 0


async def _seed(settings: Settings) -> Seeded:
    async with open_database(settings):
        return await seed_emilio_born()
