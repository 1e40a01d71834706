"""What every benchmark does with a run: one at a time, and its table kept in the docs."""

import fcntl
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from models.errors import StartupRefused, Unavailable

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


def shown(name: str, text: str, *, keep: bool) -> str:
    """Print *text*, put it into the docs if it is to be kept, and give it back."""
    print(text, flush=True)
    if keep:
        save(name, text)
    return text


def heading(name: str, words: Sequence[str], place: str) -> str:
    """The command that makes a table again, the day and the machine."""
    told = (word for word in words if word != "--save")
    command = shlex.join(["python", "-m", f"benchmarks.{name}", *told])
    return f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {place}"


def begin(main: Callable[[Sequence[str]], object]) -> None:
    """Run a benchmark as a program: what refuses it is one sentence."""
    try:
        main(sys.argv[1:])
    except (StartupRefused, Unavailable) as refusal:
        sys.exit(str(refusal))


def line(*cells: str) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(cells)} |"
