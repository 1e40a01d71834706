"""What every benchmark does with a run: one at a time, and its table kept in the docs."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import StartupRefused

REPOSITORY = Path(__file__).resolve().parent.parent
ROOT = REPOSITORY / "var" / "bench"
DOCUMENT = REPOSITORY / "docs" / "benchmarks.md"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock file *path*; raises StartupRefused while another run has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartupRefused(
                f"another run of this benchmark holds {path}: wait until it has ended"
            ) from None
        yield


def save(name: str, text: str, document: Path = DOCUMENT) -> None:
    """Put *text* in place of the table that *document* holds between the marks of *name*."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    whole = document.read_text(encoding="utf-8")
    before, _, rest = whole.partition(begin)
    after = rest.partition(end)[2]
    document.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def line(*cells: str) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(cells)} |"
