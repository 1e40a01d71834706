"""The real daemon, but it seems to grow as it ages: ``growing.py CONFIG``."""

import asyncio
import sys
import time
from functools import partial
from pathlib import Path

from bot import app
from bot.cli.exits import guarded
from bot.config import load
from bot.footprint import Footprint
from bot.recycle import Recycling

BORN = time.monotonic()


def grown() -> Footprint:
    """A gigabyte a second."""
    return Footprint(int((time.monotonic() - BORN) * 2**30), files=100, most_files=1000)


def main(config: str) -> int:
    """Run until it has grown too large."""
    recycling = partial(Recycling, measure=grown, youth=0.1, every=0.5)
    settings = load(Path(config))
    return guarded(
        lambda: asyncio.run(app.run(settings, shard=0, setup=False, recycling=recycling))
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
