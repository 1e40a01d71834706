"""What does not work as it should, and since when: for status, metrics and the log."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

log = logging.getLogger(__name__)


class Mode(StrEnum):
    """What goes on in spite of everything, but not as it should."""

    POSTGRES = "postgres"
    REDIS = "redis"
    MONGO = "mongo"
    LLM = "llm"
    DISK = "disk"
    JOURNAL = "journal"
    WORKERS = "workers"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mode that holds, with the sentence that says what happens meanwhile and what to do."""

    mode: Mode
    sentence: str


class Degraded:
    """The modes that held at the last look; each begin and end is logged once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[Mode, float] = {}

    def see(self, problems: Iterable[Problem]) -> None:
        """Take note of all that is so now."""
        now = self._clock()
        found = {problem.mode: problem.sentence for problem in problems}
        for mode, sentence in found.items():
            if mode not in self._since:
                log.warning(sentence, extra={"mode": mode.value})
                self._since[mode] = now
        for mode in self._since.keys() - found.keys():
            seconds = round(now - self._since.pop(mode))
            log.info("all is well again", extra={"mode": mode.value, "seconds": seconds})

    def holds(self, mode: Mode) -> bool:
        """Whether a mode held at the last look."""
        return mode in self._since

    def seconds(self, mode: Mode) -> float:
        """For how long a mode has been seen; 0 while it does not hold."""
        return self._clock() - self._since[mode] if mode in self._since else 0.0
