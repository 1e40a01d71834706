"""Whether any language model answers, by what became of the calls."""

from collections.abc import Iterable
from datetime import UTC, datetime

from bot.alerts.amiss import RENEWED
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
        self._failed = False
        self._noted: bool | None = None
        self._begun_at = self._noted_at = datetime.min.replace(tzinfo=UTC)

    def heard(self, target: str, outcome: str, _seconds: float, _tokens: int) -> None:
        """A call ended."""
        if outcome == Outcome.ANSWERED:
            self._well[target] = True
        elif outcome in BAD:
            self._well[target] = False
            self._failed = True

    def all_fail(self, targets: Iterable[str]) -> bool | None:
        """Whether all *targets* fail; None where too little is known of them."""
        known = [self._well.get(target) for target in targets]
        if any(known):
            return False
        return True if known and all(well is False for well in known) else None

    async def tell(self, desk: AlertDesk, targets: Iterable[str], now: datetime) -> None:
        """Put what is new where every company's alerts are judged, and what lasts once more.

        Raises RetryLater; nothing is forgotten then.
        """
        down = self.all_fail(targets)
        if down is not None and (data := self._news(down, now)):
            await desk.note_all("llm", data, now)
            self._noted, self._noted_at = down, now
            self._begun_at = self._begun_at if "still" in data else now
        self._failed = False

    def _news(self, down: bool, now: datetime) -> dict[str, bool] | None:
        """``still`` is what only lasts: since its last call others may have been answered."""
        if down is not self._noted:
            return {"down": down}
        if down and self._failed and now - self._begun_at >= RENEWED:
            return {"down": True}
        if down and now - self._noted_at >= RENEWED:
            return {"down": True, "still": True}
        return None
