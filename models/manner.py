"""How a company's answers come."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Manner:
    """What a company says of itself; None: as the configuration says.

    ``mark_read`` and ``typing`` are shown to customers or not; ``pace_seconds`` is the longest
    time that a bubble takes to write, ``parts`` into how many a long reply is split at most.
    """

    mark_read: bool | None = None
    typing: bool | None = None
    pace_seconds: float | None = None
    parts: int | None = None
    pause_minutes: int | None = None

    def over(self, usual: "Manner") -> "Manner":
        """This, with *usual* where it says nothing."""
        pairs = {each.name: getattr(self, each.name) for each in fields(self)}
        known = {name: value for name, value in pairs.items() if value is not None}
        return Manner(**{each.name: getattr(usual, each.name) for each in fields(usual)} | known)


UNSAID = Manner()


def manner_of(raw: Mapping[str, Any] | None) -> Manner:
    """As the ledger's functions tell it."""
    return Manner(**raw) if raw else UNSAID
