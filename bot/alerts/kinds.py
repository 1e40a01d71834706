"""The kinds of incident, and which state of a company's WhatsApp is which."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from bot.whatsapp.reasons import MEANINGS, Phase, Reason, WayOut

AT_ONCE = timedelta(0)
REMIND = timedelta(hours=24)
"""How soon an owner hears again of what has not ended."""


class Kind(StrEnum):
    """What may be amiss with a company."""

    LOGGED_OUT = "logged_out"
    BANNED = "banned"
    REPLACED = "replaced"
    OUTDATED = "outdated"
    PASSKEY = "passkey"
    NUMBER_IN_USE = "number_in_use"
    FAULT = "fault"
    OFFLINE = "offline"
    PHONE_ASLEEP = "phone_asleep"
    HAND_OVER = "hand_over"
    LLM_DOWN = "llm_down"
    TOO_OLD = "too_old"
    NO_PAYMENT_LINK = "no_payment_link"
    SET_ASIDE = "set_aside"
    NOT_TAKEN_IN = "not_taken_in"
    DISK_LOW = "disk_low"


@dataclass(frozen=True, slots=True)
class Traits:
    """How a kind is treated.

    *urgent* is told in quiet hours too; *patience* is how long it may heal by itself before it is
    told; *pairing* means that its owner has to pair the phone.
    """

    urgent: bool = True
    patience: timedelta = AT_ONCE
    pairing: bool = False


TRAITS: Mapping[Kind, Traits] = MappingProxyType(
    {
        Kind.LOGGED_OUT: Traits(pairing=True),
        Kind.BANNED: Traits(pairing=True),
        Kind.REPLACED: Traits(),
        Kind.OUTDATED: Traits(),
        Kind.PASSKEY: Traits(pairing=True),
        Kind.NUMBER_IN_USE: Traits(pairing=True),
        Kind.FAULT: Traits(),
        Kind.OFFLINE: Traits(patience=timedelta(minutes=10)),
        Kind.PHONE_ASLEEP: Traits(urgent=False),
        Kind.HAND_OVER: Traits(),
        Kind.LLM_DOWN: Traits(patience=timedelta(minutes=2)),
        # A backlog comes in one after the other: the first alert shall count all of it.
        Kind.TOO_OLD: Traits(urgent=False, patience=timedelta(minutes=1)),
        Kind.NO_PAYMENT_LINK: Traits(urgent=False),
        Kind.SET_ASIDE: Traits(patience=timedelta(minutes=1)),
        Kind.NOT_TAKEN_IN: Traits(patience=timedelta(minutes=1)),
        Kind.DISK_LOW: Traits(urgent=False, patience=timedelta(minutes=10)),
    }
)

LINE_DOWN = {Kind.OFFLINE: 0, Kind.FAULT: 1} | dict.fromkeys(
    (
        *(Kind.LOGGED_OUT, Kind.BANNED, Kind.REPLACED, Kind.OUTDATED),
        *(Kind.PASSKEY, Kind.NUMBER_IN_USE),
    ),
    2,
)
"""Kinds without WhatsApp, by weight. A company has one of them at a time: the heaviest."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a reason amounts to."""

    kind: Kind
    patience: timedelta


_KINDS = {
    Reason.LOGGED_OUT: Kind.LOGGED_OUT,
    Reason.OFFLINE_LONG: Kind.LOGGED_OUT,
    Reason.LOCKED: Kind.BANNED,
    Reason.BANNED: Kind.BANNED,
    Reason.BANNED_UNTIL: Kind.BANNED,
    Reason.REPLACED: Kind.REPLACED,
    Reason.OUTDATED: Kind.OUTDATED,
    Reason.PASSKEY: Kind.PASSKEY,
    Reason.NUMBER_IN_USE: Kind.NUMBER_IN_USE,
    Reason.PHONE_ASLEEP: Kind.PHONE_ASLEEP,
    Reason.FAULT: Kind.FAULT,
    Reason.CONNECTING: Kind.OFFLINE,
    Reason.RECONNECTING: Kind.OFFLINE,
    Reason.UNREACHABLE: Kind.OFFLINE,
    Reason.FILE_HELD: Kind.OFFLINE,
    Reason.NO_ROOM: Kind.OFFLINE,
}
_SILENT = {Reason.NEVER_PAIRED, Reason.PAIRING, Reason.STOPPED}
"""Somebody knows already: nobody has paired yet, somebody pairs, somebody stopped it."""

FAULT_PATIENCE = timedelta(minutes=2)
"""A session that failed starts again by itself within seconds."""


def trouble(reason: Reason) -> Trouble | None:
    """The incident that a reason is; None where all is well, or somebody knows already.

    A reason that is not listed is a fault, so that none of them is ever silent.
    """
    if reason in _SILENT or (reason not in _KINDS and is_connected(reason)):
        return None
    kind = _KINDS.get(reason, Kind.FAULT)
    heals = MEANINGS[reason].way_out in {WayOut.BY_ITSELF, WayOut.BACK_OFF}
    patience = FAULT_PATIENCE if kind is Kind.FAULT and heals else TRAITS[kind].patience
    return Trouble(kind, patience)


def is_connected(reason: Reason) -> bool:
    """Whether WhatsApp takes messages."""
    return MEANINGS[reason].phase is Phase.CONNECTED
