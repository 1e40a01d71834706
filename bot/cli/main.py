"""From arguments to a command, and from its end to an exit code."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import cast

from bot.cli.arguments import Arguments, parse
from bot.cli.exits import guarded


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; never raises except for ``--help`` and ``--version``."""
    return guarded(lambda: _command(parse(sys.argv[1:] if words is None else words)))


def _command(arguments: Arguments) -> int:
    module, _, name = arguments.command.partition(":")
    command = cast("Callable[[Arguments], int]", getattr(import_module(module), name))
    return command(arguments)
