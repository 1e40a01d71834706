"""Another robot at the other end: a person is called before the two talk for ever."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice, pairwise
from operator import itemgetter

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
"""What comes later than this is no exchange that runs away."""
_READ_CHARACTERS = 300
_READ_LINES = 20

_Told = tuple[datetime, Sender, str]


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
        lately = list(islice(_rounds(turn), self._rounds))
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


def _rounds(turn: Turn) -> Iterator[_Round]:
    """Each of our answers with what came back soon, newest first, until the owner wrote."""
    lines = sorted(map(_told, (*turn.history[-_READ_LINES:], *turn.messages)), reverse=True)
    runs = ((who, list(run)) for who, run in groupby(lines, itemgetter(1)))
    newest, theirs = next(runs)
    if newest is not Sender.CUSTOMER:  # Clocks that differ.
        return
    while (answered := next(runs, None)) is not None:
        who, ours = answered
        whom, before = next(runs, (Sender.CUSTOMER, ours[-1:]))
        if Sender.OWNER in (who, whom):
            return
        found = _round(ours, theirs, before[0])
        if found.seconds > _SOON:
            return
        yield found
        theirs = before


def _round(ours: Sequence[_Told], theirs: Sequence[_Told], before: _Told) -> _Round:
    since = (theirs[0][0] - ours[0][0]).total_seconds()
    whole = (theirs[0][0] - before[0]).total_seconds()
    return _Round(_said(ours), _said(theirs), max(1.0, since), max(1.0, whole))


def _told(line: Line) -> _Told:
    cut = line.sender is Sender.CUSTOMER and not line.at.microsecond
    return line.at + _WHOLE_SECOND if cut else line.at, line.sender, line.text


def _come_at_once(rounds: Sequence[_Round]) -> bool:
    return all(one.seconds <= _AT_ONCE for one in rounds)


def _come_typed_too_fast(rounds: Sequence[_Round]) -> bool:
    writing = sum(one.seconds for one in rounds)
    counted = sum(min(len(one.theirs), _PASTED * one.seconds) for one in rounds)
    whole = sum(one.whole for one in rounds)
    written = sum(len(one.theirs) for one in rounds)
    return counted >= _TYPED * writing and written >= _SUSTAINED * whole


def _come_alike(rounds: Sequence[_Round]) -> bool:
    """The same again and again; a few words only where we repeat ourselves too."""
    long_enough = all(len(one.theirs) >= _SHORT for one in rounds)
    return _alike([one.theirs for one in rounds]) and (
        long_enough or _alike([one.ours for one in rounds])
    )


def _alike(texts: Sequence[str]) -> bool:
    said = (set(words(text[:_READ_CHARACTERS]).split()) for text in texts)
    return all(
        2 * len(one & other) >= _ALIKE * (len(one) + len(other)) > 0
        for one, other in pairwise(said)
    )


def _said(lines: Sequence[_Told]) -> str:
    return " ".join(text for _, _, text in reversed(lines))
