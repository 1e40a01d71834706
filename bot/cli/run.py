"""``lyrox run`` and ``lyrox worker``, or only a check of what they would start with."""

import os

from bot.cli.arguments import Arguments
from bot.cli.exits import Exit
from bot.config import find, load


def run(arguments: Arguments) -> int:
    """Run until stopped; with ``--check``, print one line and start nothing."""
    path = find(arguments.config)
    settings = load(path)
    if arguments.check:
        return _check(str(path))
    from bot.whatsapp.environment import ensure_exec_environment

    ensure_exec_environment(settings.whatsapp)
    os.umask(0o077)  # Session files hold keys; nobody else reads what we make.
    from bot import app, event_loop

    return event_loop.run(app.run(settings, shard=arguments.shard, setup=arguments.setup))


def work(arguments: Arguments) -> int:
    """Answer until stopped, without any WhatsApp; ``--check`` as above."""
    path = find(arguments.config)
    settings = load(path)
    if arguments.check:
        return _check(str(path))
    os.umask(0o077)  # Private stores may be started afresh by whoever joins them.
    from bot import event_loop, worker

    return event_loop.run(worker.run(settings, number=arguments.number))


def _check(path: str) -> int:
    from handlers.prompts import load_prompts

    prompts = load_prompts()
    print(f"{path}: OK, with prompts {prompts.version}")
    return Exit.DONE
