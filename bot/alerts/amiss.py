"""What a daemon sees with its own eyes: noted as long as it lasts, because no row shows it."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from bot.disk import Disk
from bot.whatsapp.aside import set_aside_in
from bot.whatsapp.journal import Refusal
from models.alerts import AlertDesk

RENEWED = timedelta(minutes=5)
"""How soon what lasts is noted again. What is noted no more has lapsed after `judging.LAPSES`."""

Facts = Mapping[str, object]
Look = Callable[[], Mapping[UUID | None, Facts]]
"""What is amiss now, by company; None: with all of them."""


class Amiss:
    """One kind of event: its begin, each change and its end are noted, and that it lasts."""

    def __init__(self, kind: str, look: Look) -> None:
        self._kind = kind
        self._look = look
        self._noted: dict[UUID | None, tuple[Facts, datetime]] = {}

    async def tell(self, desk: AlertDesk, now: datetime) -> None:
        """Look, and note what is new. Raises RetryLater; nothing is forgotten then."""
        found = self._look()
        for whose, facts in found.items():
            if not self._is_known(whose, facts, now):
                await self._note(desk, whose, facts, now)
                self._noted[whose] = (facts, now)
        for whose in self._noted.keys() - found.keys():
            await self._note(desk, whose, {}, now)
            del self._noted[whose]

    def _is_known(self, whose: UUID | None, facts: Facts, now: datetime) -> bool:
        before, at = self._noted.get(whose, (None, now))
        return before == facts and now - at < RENEWED

    async def _note(self, desk: AlertDesk, whose: UUID | None, facts: Facts, now: datetime) -> None:
        if whose is None:
            await desk.note_all(self._kind, facts, now)
        else:
            await desk.note(whose, self._kind, facts, now)


def set_aside(state_dir: Path) -> Amiss:
    """Messages that intake fails on."""
    return Amiss(
        "aside", lambda: {one: {"events": n} for one, n in set_aside_in(state_dir).items()}
    )


def not_taken_in(refusals: Callable[[], Mapping[UUID, Refusal]]) -> Amiss:
    """New messages that find no room."""
    return Amiss("stopped", lambda: {one: {"why": why.value} for one, why in refusals().items()})


def disk_low(disk: Disk) -> Amiss:
    """A disk that is nearly full; its room in whole hundreds of MB, which seldom change."""

    def look() -> Mapping[UUID | None, Facts]:
        found = disk.low()
        return {None: {"free": found[1] // 100 * 100}} if found else {}

    return Amiss("disk", look)
