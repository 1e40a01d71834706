"""A fleet whose phones are files: its daemons run at once and die at any point of their client."""

import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from tests.faults.fleet import START_SECONDS, found
from tests.faults.ground import Ground
from tests.system.conftest import Scene, pair
from tests.system.phone import Phones
from tests.system.warm import Child, warm


@dataclass
class FilesFleet(Scene):
    """A scene with several companies."""

    companies: Mapping[UUID, str] = field(default_factory=dict)

    async def begin(self) -> None:
        """A daemon, if none runs; not ready yet."""
        if self.daemon is None or not self.daemon.alive:
            self.daemon = await self.nursery.start(self.home, self.phones.folder, run="daemon")

    async def start(self) -> Child:
        """A daemon that takes messages, if none runs."""
        await self.begin()
        assert self.daemon
        await self.daemon.until("ready", seconds=START_SECONDS)
        return self.daemon

    async def stop(self) -> int:
        """SIGTERM; the exit code, 0 where nothing ran."""
        return await self.daemon.send(signal.SIGTERM) if self.daemon else 0

    def said(self) -> str:
        """All that the daemon of now has said."""
        return self.daemon.err if self.daemon else ""


@asynccontextmanager
async def open_files_fleet(folder: Path, ground: Ground) -> AsyncIterator[FilesFleet]:
    """Paired companies; no daemon yet."""
    founded = await found(folder / "home", ground)
    for number, company in enumerate(founded.companies):
        pair(founded.home, company, f"52155000000{number:02}")
    (folder / "nursery").mkdir()
    async with warm(folder / "nursery") as nursery:
        fleet = FilesFleet(
            home=founded.home,
            nursery=nursery,
            phones=Phones(folder / "phones"),
            company=next(iter(founded.companies)),
            llm=ground.llm,
            url=ground.url,
            look=ground.look,
            valves=ground.valves,
            history=ground.history,
            companies=founded.companies,
        )
        try:
            yield fleet
        finally:
            if fleet.daemon is not None:
                await fleet.daemon.send(signal.SIGKILL)
