"""Companies in one real daemon that is killed over and over."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from tests.builders import make_company
from tests.faults.ground import Ground
from tests.faults.points import Place
from tests.system.phone import Phones
from tests.system.process import QUICK, Home

START_SECONDS = 180.0
"""A machine that does much else at the same time needs long; how long is part of the figures."""
SLUGS = ("panaderia", "taller", "floristeria", "libreria")


class Fleet(Place, Protocol):
    """The daemon, its companies' phones, and what they stand on."""

    home: Home

    @property
    def phones(self) -> Phones:
        """Where customers write and read."""

    @property
    def companies(self) -> Mapping[UUID, str]:
        """Their names, as the prompts have them."""

    @property
    def history(self) -> Callable[[], list[dict[str, Any]]]:
        """All conversation documents."""

    async def begin(self) -> None:
        """A daemon, if none runs; not ready yet."""

    async def start(self) -> object:
        """A daemon that takes messages, if none runs."""

    async def stop(self) -> int:
        """SIGTERM; the exit code, 0 where nothing ran."""

    def said(self) -> str:
        """All that the daemon of now has said."""


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
