"""One customer of a crowd, and what became of each message."""

import itertools
import re
from dataclasses import dataclass, field
from uuid import UUID

_TOKEN = re.compile(r"pedido (\d+) (\d+)")
FOREIGN = "de otra empresa"
"""What the model says where a prompt is not that of the company which was written to."""

Token = tuple[str, int]


@dataclass
class Person:
    """One customer of one company: what they wrote and read, and when."""

    company: UUID
    phone: str
    written: dict[int, float] = field(default_factory=dict)
    read: list[tuple[float, str]] = field(default_factory=list)
    answered: dict[int, float] = field(default_factory=dict)
    heard: dict[int, float] = field(default_factory=dict)
    """When a text that answers nothing (a notice) came, for each message that waited then."""
    ended: bool = False
    """A person has the chat now, and the customer was told so."""
    unsaid: set[int] = field(default_factory=set)
    """What an unconfirmed send answers, which may or may not have arrived."""

    def waiting(self) -> list[int]:
        """The messages without an answer, as long as one is due."""
        known = self.unsaid | self.answered.keys()
        return [number for number in self.written if number not in known and not self.ended]

    def reads(self, at: float, text: str) -> None:
        """A bubble arrives."""
        self.read.append((at, text))
        tokens = tokens_in(text)
        for phone, number in tokens:
            if phone == self.phone:
                self.answered.setdefault(number, at)
        if not tokens:
            for number in self.waiting():
                self.heard.setdefault(number, at)

    def doubled(self) -> int:
        """How many answers were read once more."""
        return len(self._numbers()) - len(set(self._numbers()))

    def disordered(self) -> int:
        """How many were read after the answer to a later message."""
        firsts = list(dict.fromkeys(self._numbers()))
        return sum(later < earlier for earlier, later in itertools.pairwise(firsts))

    def wrong(self) -> int:
        """How many answers were somebody else's."""
        read = [token for _, text in self.read for token in tokens_in(text)]
        foreign = [token for token in read if token[0] != self.phone]
        return len(foreign) + sum(text == FOREIGN for _, text in self.read)

    def _numbers(self) -> list[int]:
        read = [token for _, text in self.read for token in tokens_in(text)]
        return [number for phone, number in read if phone == self.phone]


def tokens_in(text: str) -> list[Token]:
    """The messages that a reply answers: whose, and the how many-th."""
    return [(phone, int(number)) for phone, number in _TOKEN.findall(text)]
