"""A process that has imported everything and forks a child for each command it is given.

``python -m tests.system.nursery`` takes JSON lines ``{"id", "run", "words", "in", "out",
"err", "env"}`` and says ``{"id", "pid"}``, then ``{"id", "code"}``. A child is the real command
line (``run`` is ``lyrox``) or the daemon on a file-backed phone (``daemon``) in a process of its
own; only the seconds of importing are saved. Everything ends with its input.
"""

import asyncio
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import sys
from typing import Any

import bot.cli
from bot.cli.main import main as lyrox
from bot.config import WhatsApp
from bot.whatsapp.environment import exec_environment
from bot.whatsapp.library import read_protos

_DIE_WITH_PARENT = 1


def say(**words: object) -> None:
    """One line for the test."""
    os.write(1, (json.dumps(words) + "\n").encode())


def import_everything() -> None:
    """All that any command of ours would import later."""
    for module in pkgutil.iter_modules(bot.cli.__path__, "bot.cli."):
        importlib.import_module(module.name)
    for name in ("bot.app", "bot.terminal", "bot.llm.openai_target", "tests.system.daemon"):
        importlib.import_module(name)
    read_protos()
    gc.freeze()


def child(order: dict[str, Any]) -> int:
    """What the forked process does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    os.setsid()
    os.chdir("/")
    os.environ.update(order["env"])
    for descriptor, path in ((0, order["in"]), (1, order["out"]), (2, order["err"])):
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    if order["run"] == "daemon":
        from tests.system.daemon import main

        return main(order["words"])
    return lyrox(order["words"])


class Nursery:
    """Forks, and reports every end."""

    def __init__(self) -> None:
        self._children: dict[int, str] = {}
        self._rest = b""

    def run(self) -> None:
        """Until the input ends."""
        wake, wakeup = os.pipe()
        for descriptor in (wake, wakeup):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as selector:
            selector.register(0, selectors.EVENT_READ)
            selector.register(wake, selectors.EVENT_READ)
            say(ready=True)
            while True:
                for key, _ in selector.select():
                    if key.fd == 0 and not self._obey():
                        return
                    if key.fd == wake:
                        os.read(wake, 4096)
                        self._bury()

    def _obey(self) -> bool:
        data = os.read(0, 65536)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._fork(json.loads(line))
        return bool(data)

    def _fork(self, order: dict[str, Any]) -> None:
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            code = 70
            try:
                code = child(order)
                sys.stdout.flush()
            finally:
                os._exit(code)
        self._children[pid] = order["id"]
        say(id=order["id"], pid=pid)

    def _bury(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            say(id=self._children.pop(pid), code=os.waitstatus_to_exitcode(status))


def main() -> None:
    """Import, then serve."""
    os.environ.update(exec_environment(WhatsApp(), os.environ))
    asyncio.set_event_loop(None)
    import_everything()
    Nursery().run()


if __name__ == "__main__":
    main()
