"""The real daemon, but its phones are files: ``daemon.py FOLDER [--shard N] --config PATH``."""

import argparse
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
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shard", type=int, default=0)
    parser.add_argument("--config", type=Path)
    given = parser.parse_args(words)
    connector, settings = PhoneConnector(given.folder), load(given.config)
    return guarded(
        lambda: asyncio.run(app.run(settings, shard=given.shard, setup=False, connector=connector))
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
