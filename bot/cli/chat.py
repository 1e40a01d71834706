"""``lyrox chat``: a customer at the keyboard."""

import asyncio
import getpass

from bot.cli.arguments import Arguments
from bot.config import find, load
from models.errors import BadInput
from models.text import one_line

LONGEST_NAME = 16
"""``customers.phone`` holds 20 characters, four of which are ``cli:``."""


def chat(arguments: Arguments) -> int:
    """Write to a company; with ``--once`` print one reply and end."""
    name = _name(arguments.name)
    if arguments.once is not None and not arguments.once.strip():
        raise BadInput("--once: the text is empty; write what the customer says")
    settings = load(find(arguments.config))
    from bot import terminal

    return asyncio.run(
        terminal.chat(
            settings,
            company=arguments.company,
            name=name,
            once=arguments.once,
            wait=arguments.wait,
            as_json=arguments.json,
        )
    )


def _name(given: str | None) -> str:
    if given is None:
        return _login()
    name = one_line(given, 1000)
    if not name or len(name) > LONGEST_NAME:
        raise BadInput(f"--as: {given!r} is not a name of 1 to {LONGEST_NAME} characters")
    return name


def _login() -> str:
    try:
        login = getpass.getuser()
    except (KeyError, OSError, ImportError):  # A user id without a name, as in containers.
        login = ""
    return one_line(login, 1000)[:LONGEST_NAME] or "cliente"
