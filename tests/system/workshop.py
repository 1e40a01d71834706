"""A daemon that answers nobody itself, and workers that do."""

import asyncio
import re
import signal
import time
from dataclasses import dataclass, field

from aiohttp import web

from tests.fakes.openai_server import Act, says
from tests.system.conftest import Scene
from tests.system.warm import Child


@dataclass
class Workshop:
    """The workers of a scene, by their numbers."""

    scene: Scene
    workers: dict[int, Child] = field(default_factory=dict)

    async def start(self, number: int, **env: str) -> Child:
        """One worker more, ready."""
        words = ("worker", "--number", number)
        worker = await self.scene.nursery.start(self.scene.home, *words, env=env)
        self.workers[number] = worker
        await worker.until("language model: ")
        return worker

    async def at_work(self, phone: str) -> int:
        """The number of the worker that has the customer's turn."""
        name = await self.scene.look.fetchval(
            "SELECT h.name FROM turns t JOIN hosts h ON h.id = t.host_id AND h.role = 'worker'"
            " JOIN customers c ON c.id = t.customer_id WHERE c.phone = $1 AND t.state = 'open'",
            f"+{phone}",
        )
        pid = int(name.rpartition(":")[2])
        return next(number for number, worker in self.workers.items() if worker.pid == pid)

    async def answered(self, phone: str) -> float:
        """Wait for the customer's only answer; how long that took."""
        began = time.monotonic()
        await self.scene.until(lambda: self.scene.closed(phone), seconds=40)
        assert len(self.scene.phones.arrived(phone)) == 1
        return time.monotonic() - began

    async def living(self) -> int:
        """How many workers `lyrox status` shows."""
        said = await self.scene.nursery.lyrox(self.scene.home, "status", "--json")
        return len(said.json()["workers"])

    async def page(self, number: int, path: str) -> tuple[int, str]:
        """Ask a worker's own listener."""
        found = re.search(r"http://(\S+)", self.workers[number].err)
        assert found
        return await self.scene.home.ask(found[1], path)

    async def end(self) -> None:
        """As if the machine had been switched off."""
        for worker in self.workers.values():
            await worker.send(signal.SIGKILL)


def thinks(go_on: asyncio.Event, asked: asyncio.Event) -> Act:
    """A model that thinks until it is told to go on."""

    async def act(request: web.Request) -> web.StreamResponse:
        asked.set()
        await go_on.wait()
        return await says()(request)

    return act
