"""Whether any language model answers, by what became of the calls."""

from collections.abc import Iterable
from datetime import datetime

from bot.llm.faults import Outcome
from models.alerts import AlertDesk

BAD = frozenset(
    {
        *(Outcome.TIMEOUT, Outcome.CONNECTION, Outcome.RATE_LIMITED, Outcome.SERVER_ERROR),
        *(Outcome.BAD_JSON, Outcome.QUOTA, Outcome.AUTH, Outcome.NOT_FOUND),
    }
)
"""Ends of a call for which its target is to blame; others say nothing of it."""


class ModelWatch:
    """Hears of every call; nothing is known of a target that was not called yet."""

    def __init__(self) -> None:
        self._well: dict[str, bool] = {}
        self._told: bool | None = None

    def heard(self, target: str, outcome: str, _seconds: float, _tokens: int) -> None:
        """A call ended."""
        if outcome == Outcome.ANSWERED:
            self._well[target] = True
        elif outcome in BAD:
            self._well[target] = False

    def news(self, targets: Iterable[str]) -> bool | None:
        """Whether all *targets* fail, where that has changed since `told`; else None."""
        known = [self._well.get(target) for target in targets]
        if any(known):
            down = False
        elif known and all(well is False for well in known):
            down = True
        else:
            return None
        return None if down is self._told else down

    def told(self, down: bool) -> None:
        """This is known to everybody now."""
        self._told = down

    async def tell(self, desk: AlertDesk, targets: Iterable[str], now: datetime) -> None:
        """Put the news, if there are any, where every company's alerts are judged."""
        if (down := self.news(targets)) is not None:
            await desk.note_all("llm", {"down": down}, now)
            self.told(down)
