"""Companies in one real daemon that is killed over and over; its phones are files."""

import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from tests.builders import make_company
from tests.faults.ground import Ground
from tests.system.conftest import Scene, pair
from tests.system.phone import Phones
from tests.system.process import QUICK, Home
from tests.system.warm import Child, warm

START_SECONDS = 180.0
"""A machine that does much else at the same time needs long; how long is part of the figures."""
SLUGS = ("panaderia", "taller", "floristeria", "libreria")


@dataclass
class Fleet(Scene):
    """A scene with several companies; each daemon is forked and runs at once."""

    companies: Mapping[UUID, str] = field(default_factory=dict)
    """Their names, as the prompts have them."""

    async def begin(self) -> Child:
        """A daemon, if none runs; it need not be ready."""
        if self.daemon is None or not self.daemon.alive:
            self.daemon = await self.fork()
        return self.daemon

    async def fork(self) -> Child:
        """One more daemon."""
        return await self.nursery.start(self.home, self.phones.folder, run="daemon")

    async def start(self) -> Child:
        """A daemon that takes messages, if none runs."""
        daemon = await self.begin()
        await daemon.until("companies: ", seconds=START_SECONDS)
        return daemon

    async def stop(self) -> int:
        """SIGTERM; the exit code, 0 where nothing ran."""
        return await self.daemon.send(signal.SIGTERM) if self.daemon else 0

    def said(self) -> str:
        """All that the daemon of now has said."""
        return self.daemon.err if self.daemon else ""


@dataclass(frozen=True)
class Founded:
    """Companies in the database, and the folder with the configuration of their daemon."""

    home: Home
    companies: dict[UUID, str]


async def found(folder: Path, ground: Ground) -> Founded:
    """Companies without phones."""
    target = {"name": "fake", "model": "m", "base_url": ground.llm.url, "api_key": ""}
    talk = {
        "quiet_seconds": 0.05,
        "longest_seconds": 0.5,
        "pace_seconds_per_character": 1.0,
        "pace_longest_seconds": 0.03,
    }
    home = Home(
        folder,
        stores=ground.urls,
        daemon={"drain_seconds": 2.0},
        conversation={**QUICK, **talk},
        limits={"messages_per_minute": 1000, "robot_turns": 0},
        llm={"targets": [target]},
    )
    companies = {await make_company(ground.url, slug=slug): slug.title() for slug in SLUGS}
    return Founded(home, companies)


@asynccontextmanager
async def open_fleet(folder: Path, ground: Ground) -> AsyncIterator[Fleet]:
    """Paired companies; no daemon yet."""
    founded = await found(folder / "home", ground)
    for number, company in enumerate(founded.companies):
        pair(founded.home, company, f"52155000000{number:02}")
    (folder / "nursery").mkdir()
    async with warm(folder / "nursery") as nursery:
        fleet = Fleet(
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
