"""Which state follows which event; nothing else ever moves a company's state."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from bot.whatsapp.library import Protos
from bot.whatsapp.states import Reason, State

_PHONE_PATIENCE = timedelta(days=13)  # WhatsApp unlinks after about 14 days without the phone.


class Transitions:
    """The state after an event, or None where it changes nothing; an event may repeat."""

    def __init__(self, protos: Protos, *, last_connected: datetime | None) -> None:
        self._events = protos.events
        self._broken = protos.broken
        self._last_connected = last_connected
        self._table: Mapping[int, Callable[[bytes, datetime], State | None]] = MappingProxyType(
            {
                3: self._connected,
                4: self._keepalive_timeout,
                5: self._connected,
                6: self._logged_out,
                7: lambda *_: State(Reason.REPLACED),
                8: self._banned,
                9: self._failure,
                10: lambda *_: State(Reason.OUTDATED),
                12: lambda *_: State(Reason.RECONNECTING),
            }
        )

    def after(self, code: int, raw: bytes, now: datetime) -> State | None:
        """The state after event *code*."""
        step = self._table.get(code)
        try:
            return step(raw, now) if step else None
        except self._broken:
            return State(Reason.FAULT, detail=f"event {code} cannot be read")

    def _connected(self, _: bytes, now: datetime) -> State:
        self._last_connected = now
        return State(Reason.ONLINE)

    def _keepalive_timeout(self, raw: bytes, _: datetime) -> State | None:
        missed = self._events.KeepAliveTimeout.FromString(raw).ErrorCount
        return State(Reason.RECONNECTING) if missed >= 2 else None

    def _logged_out(self, raw: bytes, now: datetime) -> State:
        event = self._events.LoggedOut.FromString(raw)
        if event.Reason == self._events.UNKNOWN_LOGOUT:  # Code 406, WhatsApp's own "banned".
            return State(Reason.BANNED)
        seen = self._last_connected
        if event.OnConnect and seen is not None and now - seen > _PHONE_PATIENCE:
            return State(Reason.OFFLINE_LONG)
        return State(Reason.LOGGED_OUT)

    def _banned(self, raw: bytes, now: datetime) -> State:
        seconds = self._events.TemporaryBan.FromString(raw).Expire
        return State(Reason.BANNED_UNTIL, until=now + timedelta(seconds=float(seconds)))

    def _failure(self, raw: bytes, _: datetime) -> State:
        event = self._events.ConnectFailure.FromString(raw)
        return State(Reason.FAULT, detail=f"connect failure {event.Reason} {event.Message}".strip())


def after_end(error: str) -> State:
    """The state when the connection's thread ended by itself with *error*."""
    if any(words in error for words in ("failed to dial", "dial tcp", "no such host")):
        return State(Reason.UNREACHABLE, detail=error)
    return State(Reason.FAULT, detail=error or "the connection ended")


def ends_connection(state: State) -> bool:
    """Whether the client will not come back from this by itself."""
    coming = (Reason.ONLINE, Reason.CONNECTING, Reason.RECONNECTING)
    return state.reason not in coming
