"""Before leaks matter, the process ends in peace and is started afresh.

Every start of a WhatsApp connection leaks memory and file descriptors in the client, which nothing
gives back (0.3 to 0.5 MB and 1.5 to 4 descriptors, measured). A process ages by that, slowly.
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from bot.config import Daemon
from bot.footprint import Footprint, footprint

log = logging.getLogger(__name__)

YOUTH_SECONDS = 600.0
"""What a process of this age holds, it needs; only more than that can be leaks."""
LOOK_SECONDS = 30.0
LOOKS = 3
"""So many looks in a row: a peak is no leak."""
GROWTH = 1.5
"""Below so many times what it held in its youth, a fresh process would soon be as large again."""
CAUSES = ("memory", "files")


class Recycling:
    """Knows when this process should end, and how often its forerunners did for which cause."""

    def __init__(
        self,
        settings: Daemon,
        shard: int,
        *,
        measure: Callable[[], Footprint] = footprint,
        youth: float = YOUTH_SECONDS,
        every: float = LOOK_SECONDS,
    ) -> None:
        self._settings = settings
        self._file = settings.state_dir / f"shard-{shard}.recycled"
        self._measure = measure
        self._youth = youth
        self._every = every
        self._counts = _read(self._file)

    def count(self, cause: str) -> int:
        """How often it came to that, past processes included."""
        return self._counts[cause]

    async def due(self) -> str:
        """Wait until the process should end; the sentence that says why."""
        await asyncio.sleep(self._youth)
        youth = self._measure()
        looks = 0
        while True:
            await asyncio.sleep(self._every)
            found = self._find(youth, self._measure())
            looks = looks + 1 if found else 0
            if found and looks == LOOKS:
                cause, sentence = found
                self._keep(cause)
                return f"{sentence}; the process ends in peace and is started afresh"

    def _find(self, youth: Footprint, now: Footprint) -> tuple[str, str] | None:
        """The cause, and the sentence that says it."""
        limit = self._settings.recycle_memory_mb * 2**20
        if limit and now.memory and now.memory > max(limit, GROWTH * (youth.memory or 0)):
            mb = self._settings.recycle_memory_mb
            return "memory", f"{now.memory >> 20} MB of memory, more than recycle_memory_mb = {mb}"
        most = now.most_files * self._settings.recycle_files_percent / 100
        if now.files > max(most, GROWTH * youth.files):
            return "files", f"{now.files} open files of at most {now.most_files}"
        return None

    def _keep(self, cause: str) -> None:
        self._counts[cause] += 1
        try:
            self._file.write_text(json.dumps(self._counts), encoding="utf-8")
        except OSError as error:
            log.warning("a recycling is not counted on disk", extra={"error": str(error)})


def _read(file: Path) -> Counter[str]:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return Counter({cause: int(kept.get(cause, 0)) for cause in CAUSES})
    except (OSError, ValueError, TypeError, AttributeError):
        return Counter()
