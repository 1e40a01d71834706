"""Which incidents begin and end with an event; decides, and touches nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from bot.alerts.kinds import LINE_DOWN, TRAITS, Kind, is_connected, trouble
from bot.whatsapp.reasons import Reason

TOO_OLD_DAY = timedelta(days=1)
"""Messages that come too late are one incident until a day has brought none."""

LAPSES = timedelta(minutes=15)
"""What a daemon notes as long as it sees it is over when it has not been noted for so long."""

SILENT_LAPSES = frozenset({Kind.LLM_DOWN})
"""Kinds of which nobody hears that they lapsed: whoever saw it is gone, and saw no end of it."""

Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Begin:
    """An incident is there now; one that is open already is brought up to date."""

    kind: Kind
    tell_at: datetime
    subject: str = ""
    facts: Data = field(default_factory=dict)
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class End:
    """An incident is over; *told*: its owner hears so, if they heard of its begin."""

    kind: Kind
    subject: str = ""
    told: bool = False


Move = Begin | End


def judge(
    kind: str, subject: str, data: Data, at: datetime, open_kinds: Sequence[Kind]
) -> list[Move]:
    """What an event means; *open_kinds* are the company's open incidents."""
    if kind == "session":
        return _session(data, at, open_kinds)
    if kind == "llm":
        return _llm(data, at, open_kinds)
    step = _STEPS.get(kind)
    return step(subject, data, at) if step else []


def _session(data: Data, at: datetime, open_kinds: Sequence[Kind]) -> list[Move]:
    try:
        reason = Reason(data.get("reason", ""))
    except ValueError:
        return []  # Of a newer program, or of none.
    found = trouble(reason)
    moves: list[Move] = [Begin(found.kind, at + found.patience, facts=data)] if found else []
    if is_connected(reason):
        return [*_over(open_kinds, keep=found.kind if found else None), *moves]
    if found is None:
        return []
    weight = LINE_DOWN[found.kind]
    down = [kind for kind in open_kinds if kind in LINE_DOWN]
    if any(LINE_DOWN[kind] > weight for kind in down):
        return []
    lighter = [End(kind) for kind in down if kind is not found.kind]
    asleep = [End(Kind.PHONE_ASLEEP)] if weight and Kind.PHONE_ASLEEP in open_kinds else []
    return [*lighter, *asleep, *moves]


def _over(open_kinds: Sequence[Kind], keep: Kind | None) -> list[Move]:
    ended = [*(kind for kind in open_kinds if kind in LINE_DOWN), Kind.PHONE_ASLEEP]
    return [End(kind, told=True) for kind in ended if kind is not keep and kind in open_kinds]


def _hand_over(subject: str, data: Data, at: datetime) -> list[Move]:
    until = data.get("until")
    ends_at = datetime.fromisoformat(until) if isinstance(until, str) else at + timedelta(hours=1)
    moves: list[Move] = [Begin(Kind.HAND_OVER, at, subject, data, ends_at)]
    product = data.get("product")
    if isinstance(product, dict) and product.get("id"):
        moves.append(Begin(Kind.NO_PAYMENT_LINK, at, str(product["id"]), data))
    return moves


def _too_old(_subject: str, _data: Data, at: datetime) -> list[Move]:
    tell_at = at + TRAITS[Kind.TOO_OLD].patience
    return [Begin(Kind.TOO_OLD, tell_at, facts={"count": 1}, ends_at=at + TOO_OLD_DAY)]


def _llm(data: Data, at: datetime, open_kinds: Sequence[Kind]) -> list[Move]:
    if not data.get("down"):
        return [End(Kind.LLM_DOWN, told=True)]
    if data.get("still") and Kind.LLM_DOWN not in open_kinds:
        return []  # Another worker has seen them answer since.
    tell_at = at + TRAITS[Kind.LLM_DOWN].patience
    return [Begin(Kind.LLM_DOWN, tell_at, ends_at=at + LAPSES)]


def _seen(kind: Kind) -> Callable[[str, Data, datetime], list[Move]]:
    """Facts while it lasts, none when it is over."""

    def judged(_subject: str, data: Data, at: datetime) -> list[Move]:
        if not data:
            return [End(kind, told=True)]
        return [Begin(kind, at + TRAITS[kind].patience, facts=data, ends_at=at + LAPSES)]

    return judged


_STEPS: Mapping[str, Callable[[str, Data, datetime], list[Move]]] = MappingProxyType(
    {
        "handover": _hand_over,
        "handover_over": lambda subject, _data, _at: [End(Kind.HAND_OVER, subject)],
        "payable": lambda subject, _data, _at: [End(Kind.NO_PAYMENT_LINK, subject)],
        "too_old": _too_old,
        "aside": _seen(Kind.SET_ASIDE),
        "stopped": _seen(Kind.NOT_TAKEN_IN),
        "disk": _seen(Kind.DISK_LOW),
    }
)
