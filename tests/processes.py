"""What runs on this machine because of a test."""

import contextlib
from pathlib import Path
from uuid import UUID


def processes_about(company: UUID) -> list[str]:
    """The processes that were executed for a company."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(company).encode() in process.read_bytes():
                found.append(process.parent.name)
    return found
