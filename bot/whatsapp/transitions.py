"""Which state follows what a session sees; nothing else ever moves a session's state.

The client shows less than WhatsApp does: many causes look alike from here, and some are seen only
by the words with which the client's thread ends. `TABLE` names them all, and docs/operations.md
shows it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from bot.whatsapp.library import Protos
from bot.whatsapp.reasons import Reason, WayOut
from bot.whatsapp.states import State

_PHONE_PATIENCE = timedelta(days=13)  # WhatsApp unlinks after about 14 days without the phone.


class Seen(StrEnum):
    """What a session can see of WhatsApp."""

    LOGIN = "login"
    PINGS_ANSWERED = "pings_answered"
    PING_MISSED = "ping_missed"
    PINGS_MISSED = "pings_missed"
    LINE_LOST = "line_lost"
    STREAM_ERROR = "stream_error"
    UNLINKED = "unlinked"
    UNLINKED_ASLEEP = "unlinked_asleep"
    LOCKED = "locked"
    BANNED = "banned"
    SUSPENDED = "suspended"
    SUSPENDED_OTHERWISE = "suspended_otherwise"
    REPLACED = "replaced"
    OUTDATED = "outdated"
    REFUSED = "refused"
    REFUSED_OTHERWISE = "refused_otherwise"
    NO_LOGIN = "no_login"
    CODE_SHOWN = "code_shown"
    NO_LINE = "no_line"
    ENDED = "ended"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Row:
    """The reason that follows, None where the state stays, and what WhatsApp did to cause it."""

    reason: Reason | None
    causes: tuple[str, ...]


TABLE: Mapping[Seen, Row] = MappingProxyType(
    {
        Seen.LOGIN: Row(
            Reason.ONLINE,
            (
                "login accepted",
                "stream error 515, then a new login",
                "pings unanswered for three minutes, then a new login",
            ),
        ),
        Seen.PINGS_ANSWERED: Row(Reason.ONLINE, ("pings answered again",)),
        Seen.PING_MISSED: Row(None, ("one ping unanswered",)),
        Seen.PINGS_MISSED: Row(Reason.RECONNECTING, ("two pings unanswered",)),
        Seen.LINE_LOST: Row(
            Reason.RECONNECTING,
            (
                *("connection closed", "connection reset", "stream error 503"),
                *("login failure 500", "login failure 503", "connection lost and no way back"),
            ),
        ),
        # Such a line is always closed after it; until then it may still carry messages.
        Seen.STREAM_ERROR: Row(
            None, ("stream error 500", "stream error 516", "stream error of any other kind")
        ),
        Seen.UNLINKED: Row(Reason.LOGGED_OUT, ("device removed on the phone", "login failure 401")),
        Seen.UNLINKED_ASLEEP: Row(
            Reason.OFFLINE_LONG, ("login failure 401 after 13 days without a connection",)
        ),
        Seen.LOCKED: Row(Reason.LOCKED, ("login failure 403",)),
        Seen.BANNED: Row(Reason.BANNED, ("login failure 406",)),
        Seen.SUSPENDED: Row(
            Reason.BANNED_UNTIL,
            tuple(f"login failure 402, code {code}" for code in (101, 102, 103, 104, 106)),
        ),
        Seen.SUSPENDED_OTHERWISE: Row(Reason.BANNED_UNTIL, ("login failure 402, any other code",)),
        Seen.REPLACED: Row(Reason.REPLACED, ("session opened elsewhere",)),
        Seen.OUTDATED: Row(Reason.OUTDATED, ("login failure 405",)),
        Seen.REFUSED: Row(
            Reason.FAULT, ("login failure 400", "login failure 409", "login failure 501")
        ),
        Seen.REFUSED_OTHERWISE: Row(
            Reason.FAULT,
            ("login failure 415", "login failure 418", "login failure of any other number"),
        ),
        Seen.NO_LOGIN: Row(Reason.FAULT, ("login never answered",)),
        Seen.CODE_SHOWN: Row(Reason.LOGGED_OUT, ("session file without its device",)),
        Seen.NO_LINE: Row(
            Reason.UNREACHABLE,
            ("connection cut before the login", "stream error 515 and no way back"),
        ),
        # Nothing is known to cause these two; they are the way out of what nobody foresaw.
        Seen.ENDED: Row(Reason.FAULT, ()),
        Seen.UNREADABLE: Row(Reason.FAULT, ()),
    }
)


class Transitions:
    """The state after an event, or None where it changes nothing; an event may repeat."""

    def __init__(self, protos: Protos, *, last_connected: datetime | None) -> None:
        self._events = protos.events
        self._broken = protos.broken
        self._last_connected = last_connected
        self._table: Mapping[int, Callable[[bytes, datetime], State | None]] = MappingProxyType(
            {
                3: self._login,
                4: self._ping_missed,
                5: lambda *_: _moved(Seen.PINGS_ANSWERED),
                6: self._logged_out,
                7: lambda *_: _moved(Seen.REPLACED),
                8: self._suspended,
                9: self._refused,
                10: lambda *_: _moved(Seen.OUTDATED),
                11: lambda *_: _moved(Seen.STREAM_ERROR),
                12: lambda *_: _moved(Seen.LINE_LOST),
            }
        )

    def after(self, code: int, raw: bytes, now: datetime) -> State | None:
        """The state after event *code*."""
        step = self._table.get(code)
        try:
            return step(raw, now) if step else None
        except self._broken:
            return _moved(Seen.UNREADABLE, f"event {code} cannot be read")

    def _login(self, _: bytes, now: datetime) -> State | None:
        self._last_connected = now
        return _moved(Seen.LOGIN)

    def _ping_missed(self, raw: bytes, _: datetime) -> State | None:
        missed = self._events.KeepAliveTimeout.FromString(raw).ErrorCount
        return _moved(Seen.PINGS_MISSED if missed >= 2 else Seen.PING_MISSED)

    def _logged_out(self, raw: bytes, now: datetime) -> State | None:
        event = self._events.LoggedOut.FromString(raw)
        # WhatsApp itself calls 406 "banned" and 403 "locked".
        named = {
            self._events.UNKNOWN_LOGOUT: Seen.BANNED,
            self._events.MAIN_DEVICE_GONE: Seen.LOCKED,
        }
        asleep = event.OnConnect and self._has_been_away(now)
        other = Seen.UNLINKED_ASLEEP if asleep else Seen.UNLINKED
        return _moved(named.get(event.Reason, other))

    def _has_been_away(self, now: datetime) -> bool:
        seen = self._last_connected
        return seen is not None and now - seen > _PHONE_PATIENCE

    def _suspended(self, raw: bytes, now: datetime) -> State | None:
        seconds = self._events.TemporaryBan.FromString(raw).Expire
        return _moved(Seen.SUSPENDED, until=now + timedelta(seconds=float(seconds)))

    def _refused(self, raw: bytes, _: datetime) -> State | None:
        event = self._events.ConnectFailure.FromString(raw)
        why = self._events.ConnectFailureReason.Name(event.Reason)
        return _moved(Seen.REFUSED, f"login refused: {why} {event.Message}".strip())


# The client's thread ends with an error. These are what it says when an event holds a value that
# it has no name for; the values themselves are lost by then.
_LAST_WORDS = (
    ("failed to dial", Seen.NO_LINE),
    ("dial tcp", Seen.NO_LINE),
    ("no such host", Seen.NO_LINE),
    ("TemporaryBan.Code", Seen.SUSPENDED_OTHERWISE),
    ("ConnectFailure.Reason", Seen.REFUSED_OTHERWISE),
)
_DETAILS = {
    Seen.SUSPENDED_OTHERWISE: "",
    Seen.REFUSED_OTHERWISE: "login refused for a reason the client has no name for",
}


def after_end(error: str) -> State:
    """The state when the connection's thread ended by itself with *error*."""
    seen = next((seen for words, seen in _LAST_WORDS if words in error), Seen.ENDED)
    return _ended(seen, _DETAILS.get(seen, error or "the connection ended"))


def after_code() -> State:
    """The state when a code to scan came instead of a login."""
    return _ended(Seen.CODE_SHOWN)


def after_waiting(seconds: float) -> State:
    """The state when no login came within *seconds* of the start."""
    return _ended(Seen.NO_LOGIN, f"no login within {seconds:.0f} s")


def ends_connection(state: State) -> bool:
    """Whether the client will not come back from this by itself."""
    return state.meaning.way_out is not WayOut.BY_ITSELF


def _ended(seen: Seen, detail: str = "") -> State:
    return _moved(seen, detail) or State(Reason.FAULT, detail)


def _moved(seen: Seen, detail: str = "", until: datetime | None = None) -> State | None:
    reason = TABLE[seen].reason
    return None if reason is None else State(reason, detail, until)
