"""Another robot at the other end: a person is called before the two talk for ever."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from itertools import groupby, pairwise

from handlers.hand_over import handed_over
from handlers.language import language
from handlers.prompts import Prompts
from models.text import words
from models.values import Channel, Line, Reply, Sender, Turn

_WHOLE_SECOND = timedelta(seconds=1)
"""WhatsApp's own times are cut to seconds, so an answer can seem older than what it answers."""
_AT_ONCE = 2.0
"""Nobody reads and writes in less, time after time; of it a second may be the one cut off."""
_TYPED = 8.0
"""Characters a second that nobody writes after reading; on a phone people reach 3 or 4."""
_SUSTAINED = 4.0
"""The same, our own share of the time included: who has pasted once or twice stays below."""
_PASTED = 12.0
"""What counts of one message at most, so that a single pasted text decides nothing."""
_ALIKE = 0.8
_SHORT = 20
_SOON = 60.0
_READ_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class _Round:
    """What we said, what came back, and how many seconds after that and after what came before."""

    ours: str
    theirs: str
    seconds: float
    whole: float


class Robots:
    """Calls a person after *rounds* answers in a row that came as only a machine's do; 0: never.

    They come at once, or faster than anybody types, or say the same again and again. Who is
    taken for a machine by mistake is told that a person takes over, and never left in silence.
    Nobody's robot sits at the terminal.
    """

    name = "robots"

    def __init__(self, prompts: Prompts, *, rounds: int, pause_minutes: int) -> None:
        self._prompts = prompts
        self._rounds = rounds
        self._pause_minutes = pause_minutes

    def wants(self, turn: Turn) -> bool:
        if not self._rounds or turn.channel is Channel.TERMINAL:
            return False
        lately = _rounds(turn)[-self._rounds :]
        return len(lately) == self._rounds and (
            _come_at_once(lately) or _come_typed_too_fast(lately) or _come_alike(lately)
        )

    async def answer(self, turn: Turn) -> Reply:
        return handed_over(
            self._prompts.say(language(turn)).handover_after_failure,
            handler=self.name,
            pause_minutes=self._pause_minutes,
            reason="another_robot",
        )


def _rounds(turn: Turn) -> list[_Round]:
    """Each of our answers with what came back, oldest first; what the owner wrote ends it all."""
    lines = sorted((_told(line) for line in (*turn.history, *turn.messages)), key=_moment)
    runs = [(who, list(run)) for who, run in groupby(lines, lambda line: line.sender)]
    found: list[_Round] = []
    before: Line | None = None
    for (who, ours), (whom, theirs) in pairwise(runs):
        if Sender.OWNER in (who, whom):
            found.clear()
        elif who is Sender.AGENT:
            found.append(_round(ours, theirs, before))
            before = theirs[-1]
    return found


def _round(ours: Sequence[Line], theirs: Sequence[Line], before: Line | None) -> _Round:
    since = (theirs[-1].at - ours[-1].at).total_seconds()
    whole = (theirs[-1].at - (before or ours[0]).at).total_seconds()
    return _Round(_said(ours), _said(theirs), max(1.0, since), max(1.0, whole))


def _told(line: Line) -> Line:
    if line.sender is not Sender.CUSTOMER or line.at.microsecond:
        return line
    return Line(line.id, line.at + _WHOLE_SECOND, line.sender, line.text)


def _come_at_once(rounds: Sequence[_Round]) -> bool:
    return all(one.seconds <= _AT_ONCE for one in rounds)


def _come_typed_too_fast(rounds: Sequence[_Round]) -> bool:
    writing = sum(one.seconds for one in rounds)
    counted = sum(min(len(one.theirs), _PASTED * one.seconds) for one in rounds)
    whole = sum(one.whole for one in rounds)
    written = sum(len(one.theirs) for one in rounds)
    return counted >= _TYPED * writing and written >= _SUSTAINED * whole


def _come_alike(rounds: Sequence[_Round]) -> bool:
    """The same again and again within minutes; a few words only where we repeat ourselves too."""
    if any(one.seconds > _SOON for one in rounds):
        return False
    long_enough = all(len(one.theirs) >= _SHORT for one in rounds)
    return _alike([one.theirs for one in rounds]) and (
        long_enough or _alike([one.ours for one in rounds])
    )


def _alike(texts: Sequence[str]) -> bool:
    said = [words(text[:_READ_CHARACTERS]).split() for text in texts]
    return all(said) and all(
        one == other or SequenceMatcher(None, one, other, autojunk=False).ratio() >= _ALIKE
        for one, other in pairwise(said)
    )


def _said(lines: Sequence[Line]) -> str:
    return " ".join(line.text.strip() for line in lines)


def _moment(line: Line) -> tuple[datetime, str]:
    return line.at, line.id
