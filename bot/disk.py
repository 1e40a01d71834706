"""How much room there is on the disks that hold what must not be lost."""

import logging
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from bot.config import Settings
from bot.stores import private

log = logging.getLogger(__name__)

MUCH = 1.25
"""Well again only with this much more room than the bound, so that a disk does not waver."""


class Disk:
    """Nearly full while one of *folders* has less than *low_mb* MB of room; 0: never."""

    def __init__(
        self,
        folders: Iterable[Path],
        *,
        low_mb: int,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self._folders = tuple(folders)
        self._low_mb = low_mb
        self._free_bytes = free_bytes
        self._low: set[Path] = set()

    def low(self) -> tuple[Path, int] | None:
        """The folder with the least room and its MB, where that is too little."""
        free = {folder: self._free(folder) for folder in self._folders}
        self._low = {folder for folder in free if free[folder] < self._bound(folder)}
        least = min(self._low, key=free.__getitem__, default=None)
        return None if least is None else (least, free[least])

    def _bound(self, folder: Path) -> float:
        return self._low_mb * (MUCH if folder in self._low else 1.0)

    def _free(self, folder: Path) -> int:
        try:
            return self._free_bytes(folder) // 2**20
        except OSError as error:  # It is made by whoever uses it first.
            log.debug("no room can be measured", extra={"folder": str(folder), "why": str(error)})
            return self._low_mb * 2


def disk_of(settings: Settings) -> Disk:
    """The disks of the state directory, and of the stores that are ours."""
    stores = [settings.stores.data_dir] if private(settings.stores) else []
    return Disk([settings.daemon.state_dir, *stores], low_mb=settings.daemon.disk_low_mb)
