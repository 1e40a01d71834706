"""From noted round trips to two figures: how many a message makes, and in how many waves."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from benchmarks.proxy import HELD_SECONDS, Trip

OWN_OF_DRIVERS = {
    "postgres": (
        "SELECT current_setting('",
        "WITH RECURSIVE typeinfo_",
        "SELECT set_config('jit',",
        "prepare ",
    ),
    "redis": ("HELLO", "CLIENT", "SELECT"),
    "mongo": ("hello",),
}
"""What a driver asks once a connection: to greet, about types, to prepare each statement. The
MongoDB driver greets every ten seconds too."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The trips of one lone message, in the order in which they began."""

    trips: tuple[Trip, ...]

    @property
    def waves(self) -> int:
        """Groups of trips that overlap in time; a gap without any trip begins a new one."""
        waves, until = 0, float("-inf")
        for _, _, began, ended in self.trips:
            waves += began > until
            until = max(until, ended)
        return waves

    def lines(self) -> list[str]:
        """One line a trip, for people; milliseconds since the first."""
        zero = self.trips[0][2] if self.trips else 0.0
        return [
            f"{1000 * (began - zero):8.1f} {1000 * (ended - began):6.1f} ms  {store} {label}"
            for store, label, began, ended in self.trips
        ]


def periodic(idle: Sequence[Trip]) -> frozenset[tuple[str, str]]:
    """What is asked without any message: beats, sweeps, a driver's own look-outs."""
    return frozenset((store, label) for store, label, _, _ in idle if not _waits(label))


def count(trips: Sequence[Trip], background: Collection[tuple[str, str]]) -> Counted:
    """The trips of one message; a blocking pop lasts as long as its answer was held back."""
    own = [
        (store, label, ended - HELD_SECONDS if _waits(label) else began, ended)
        for store, label, began, ended in trips
        if (store, label) not in background and not label.startswith(OWN_OF_DRIVERS[store])
    ]
    return Counted(tuple(sorted(own, key=lambda trip: trip[2])))


def _waits(label: str) -> bool:
    return label.startswith("BLMPOP")
