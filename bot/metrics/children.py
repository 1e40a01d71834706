"""The labelled children of one metric: found by one look-up, bounded, never a person's data."""

import re
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

Labels = str | tuple[str, ...]
Kind = TypeVar("Kind")

MOST_CHILDREN = 200
OTHER = "other"

_WORD = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
"""No phone number looks like this, in whatever form."""


class Children(dict[Labels, Kind], Generic[Kind]):
    """``children[label]`` or ``children[label, label]``: made by *label* at the first use.

    A label that is no plain word, or one too many, becomes ``other``.
    """

    def __init__(self, label: Callable[..., Kind], known: Iterable[Labels] = ()) -> None:
        super().__init__()
        self._label = label
        for labels in known:
            self[labels]

    def __missing__(self, labels: Labels) -> Kind:
        words = (labels,) if isinstance(labels, str) else labels
        if len(self) >= MOST_CHILDREN:
            return self._label(*(OTHER for _ in words))
        child = self._label(*(_plain(word) for word in words))
        self[labels] = child
        return child


def _plain(word: str) -> str:
    return word if _WORD.fullmatch(word) else OTHER
