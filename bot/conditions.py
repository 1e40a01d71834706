"""What a process knows of its own troubles without asking a store."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from uuid import UUID

from bot.degraded import Mode, Problem
from bot.disk import Disk
from bot.whatsapp.journal import Refusal

Names = Callable[[UUID], str]
Condition = Callable[[Names], Iterable[Problem]]
"""Says what is amiss now; it gets what companies are called."""

_NO_MODEL = (
    "no language model answers: until one does, only greetings, prices and payment links are"
    " answered; the rest waits and is then handed to a person (`lyrox doctor` says what fails)"
)


def models_away(states: Callable[[], Mapping[str, str]]) -> Condition:
    """Whether every language model rests after too many faults in a row."""

    def look(_: Names) -> Iterable[Problem]:
        known = states().values()
        if known and all(state != "closed" for state in known):
            yield Problem(Mode.LLM, _NO_MODEL)

    return look


def disk_low(disk: Disk) -> Condition:
    """Whether a disk is nearly full."""

    def look(_: Names) -> Iterable[Problem]:
        if found := disk.low():
            yield Problem(Mode.DISK, _nearly_full(*found))

    return look


def nothing_taken_in(refusals: Callable[[], Mapping[UUID, Refusal]]) -> Condition:
    """Whether new messages of a company stay with WhatsApp, because they find no room here."""

    def look(names: Names) -> Iterable[Problem]:
        found = refusals()
        for refusal in sorted(set(found.values())):
            whose = ", ".join(sorted(names(one) for one in found if found[one] is refusal))
            yield Problem(Mode.JOURNAL, _REFUSED[refusal].format(whose=whose))

    return look


_REFUSED = {
    Refusal.DISK: "the disk is full: new messages of {whose} stay with WhatsApp; make room",
    Refusal.BOUND: (
        "the journal of {whose} holds all it may ([whatsapp] journal_megabytes): new messages stay"
        " with WhatsApp until PostgreSQL has taken some"
    ),
}


def _nearly_full(folder: Path, free_mb: int) -> str:
    return (
        f"the disk is nearly full, {free_mb} MB are free for {folder}: make room; on a full disk"
        " new messages stay with WhatsApp"
    )
