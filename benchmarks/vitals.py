"""What the system tells of a running process: its memory, threads, open files and CPU (Linux)."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look at a process: MiB resident, threads, descriptors, seconds of CPU so far.

    The CPU of its children is in it, because a helper's work is work of the process too.
    """

    rss: float
    threads: int
    fds: int
    cpu_seconds: float


def vitals(pid: int) -> Vitals:
    """Look at a process now; raises OSError when it has ended."""
    return Vitals(
        rss=mib(pid, "VmRSS"),
        threads=len(list((_PROC / str(pid) / "task").iterdir())),
        fds=len(list((_PROC / str(pid) / "fd").iterdir())),
        cpu_seconds=sum(map(_cpu_seconds, (pid, *children(pid)))),
    )


def mib(pid: int, field: str) -> float:
    """A field of the process's memory, such as ``VmRSS`` or ``VmHWM``, in MiB."""
    status = (_PROC / str(pid) / "status").read_text(encoding="ascii", errors="replace")
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    if found is None:
        raise OSError(f"this system does not tell {field}")
    return int(found[1]) / 1024


def children(pid: int) -> list[int]:
    """The processes it has started and that still run."""
    tasks = (_PROC / str(pid) / "task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def _cpu_seconds(pid: int) -> float:
    words = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICKS  # utime and stime, proc(5).
