"""What the client reads only when a process is executed: set once, by executing again."""

import os
import sys
from collections.abc import Mapping

from bot.config import WhatsApp

_DONE = "LYROX_ENVIRONMENT_SET"
_MEMORY = "400MiB"


def exec_environment(settings: WhatsApp, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment a process needs that will load the client.

    The label follows the configuration alone; a memory limit of the operator's own wins.
    """
    wanted = dict(environ)
    wanted.pop("NEONIZE_BOT_TAG", None)
    if not settings.ai_label:
        wanted["NEONIZE_BOT_TAG"] = "off"
    wanted.setdefault("GOMEMLIMIT", _MEMORY)
    return wanted


def ensure_exec_environment(settings: WhatsApp) -> None:
    """Execute this process once more if its environment is not yet the needed one."""
    wanted = exec_environment(settings, os.environ)
    if wanted == dict(os.environ) or _DONE in os.environ:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(  # noqa: S606  # The same program with the same arguments; no shell is wanted.
        sys.executable, [sys.executable, *sys.orig_argv[1:]], wanted | {_DONE: "1"}
    )
