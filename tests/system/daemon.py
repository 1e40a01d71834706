"""The real daemon, but its phones are files: ``daemon.py FOLDER --config PATH``."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from bot import app
from bot.cli.exits import guarded
from bot.config import load
from tests.system.phone import PhoneConnector


def main(words: Sequence[str]) -> int:
    """Run until stopped, as ``lyrox run`` would."""
    folder, _, config = words
    connector = PhoneConnector(Path(folder))
    settings = load(Path(config))
    return guarded(
        lambda: asyncio.run(app.run(settings, shard=0, setup=False, connector=connector))
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
