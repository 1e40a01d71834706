"""The pairing page on a real listener, with a company that a test directs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from bot.pairing.links import PairingLinks
from bot.pairing.pairings import Pairings
from bot.web.pairing_page import PageParts, serve_pairing
from bot.web.visitors import Visitors
from tests.fakes.follower import Stage

COMPANY = UUID("5d0c8b2e-0b0a-4d4f-9a52-0a6f6f3f2a11")
PHONE = "5215512345678"


@dataclass
class Site:
    """Where the page is, what it shows, and the clock of its links."""

    address: str
    stage: Stage
    links: PairingLinks
    pairings: Pairings
    state_dir: Path
    clock: "Clock"
    refused: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """A fresh link to the company's page."""
        return self.at(self.links.issue(COMPANY)[0])

    def at(self, token: str) -> str:
        """The page of a token."""
        return f"http://{self.address}/pair/{token}"


@dataclass
class Clock:
    """The time of day, moved by a test."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@asynccontextmanager
async def opened(
    folder: Path,
    stage: Stage | None = None,
    *,
    trusted: Sequence[str] = ("127.0.0.1",),
    listen: str = "127.0.0.1:0",
) -> AsyncIterator[Site]:
    """The page of one company."""
    stage, clock, refused = stage or Stage(), Clock(), list[str]()
    links = PairingLinks(folder, b"k" * 32, now=clock)
    async with Pairings(stage.surroundings()) as pairings:
        parts = PageParts(links, pairings, Visitors(trusted), "LYROX", refused.append, now=clock)
        async with serve_pairing(listen, parts) as address:
            yield Site(address, stage, links, pairings, folder, clock, refused)
