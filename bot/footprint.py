"""How much of the machine this process holds."""

import resource
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes in RAM (None where the system does not tell), open files, and most files allowed."""

    memory: int | None
    files: int
    most_files: int


def footprint() -> Footprint:
    """As it is now."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Footprint(_resident_bytes(), _open_files(), most)


def _resident_bytes() -> int | None:
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None  # Not Linux.
    return int(pages) * resource.getpagesize()


def _open_files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir()) - 1  # Without the one that lists.
