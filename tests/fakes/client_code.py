"""The client's C functions without WhatsApp: what `bot.whatsapp.client` calls, and when."""

import ctypes
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from bot.whatsapp.library import Library, Protos

Function = Callable[..., Any]


@dataclass
class Life:
    """One run of the client's main call, from its start until it is stopped."""

    store: str
    jid: bytes
    new_device: int
    subscribed: tuple[int, ...]
    props: bytes
    on_code: Function
    on_login: Function
    on_event: Function
    on_log: Function
    ended: threading.Event = field(default_factory=threading.Event)
    error: bytes = b""

    def event(self, code: int, raw: bytes = b"") -> ctypes.Array[ctypes.c_char]:
        """Hand an event over as Go does: an address, valid until this returns."""
        buffer = ctypes.create_string_buffer(raw, max(1, len(raw)))
        self.on_event(b"", ctypes.addressof(buffer) if raw else None, len(raw), code)
        return buffer

    def text(self, callback: Function, words: str) -> None:
        """Hand a C string over."""
        buffer = ctypes.create_string_buffer(words.encode())
        callback(None, ctypes.addressof(buffer))

    def end(self, error: str = "") -> None:
        """The main call returns."""
        self.error = error.encode()
        self.ended.set()


class FakeCode:
    """Answers like the library; a call that would end the real process is remembered as fatal."""

    def __init__(self, protos: Protos, *, registers: bool = True) -> None:
        self.calls: list[str] = []
        self.begun = threading.Event()
        self.lives: dict[bytes, Life] = {}
        self.past: list[Life] = []
        self.fatal: list[str] = []
        self.sent: list[tuple[Any, Any]] = []
        self.answer = protos.events.SendMessageReturnFunction()
        self.answer.SendResponse.ID = "3EB0"
        self.answer.SendResponse.Timestamp = 0
        self.answer.SendResponse.ServerID = 0
        self.logout_error = b""
        self.read: list[tuple[str, str, str, bytes]] = []
        self.holds: Mapping[str, threading.Event] = {}
        self._protos = protos
        self._registers = registers
        self._placing = threading.Lock()  # Held by whoever writes the maps; never waited for.

    def library(self) -> Library:
        """The library these functions would come from."""
        functions = {
            "Neonize": self._neonize,
            "SendMessage": self._send,
            "SendChatPresence": self._presence,
            "MarkRead": self._mark_read,
            "Disconnect": self._disconnect,
            "Logout": self._logout,
            "Stop": self._stop,
        }
        same = lambda function: function  # noqa: E731 - Stands for a ctypes function type.
        return Library(SimpleNamespace(**functions), same, same, same, self._protos)

    def _neonize(self, *arguments: Any) -> bytes:
        store, uuid, jid, _, new, _, code, login, event, log, events, count, props = arguments[:13]
        with self._alone("start"):
            life = Life(
                *(store.decode(), jid, new, tuple(events[i][0] for i in range(count)), props),
                *(code, login, event, log),
            )
            self.calls.append("Neonize")
            self.lives[uuid] = life
            self.past.append(life)
            self.begun.set()
        if self._registers:
            life.event(0)
        life.ended.wait()
        return life.error

    def _send(self, uuid: bytes, to: bytes, _: int, body: bytes, __: int) -> bytes:
        self._enter("SendMessage", uuid)
        protos = self._protos
        self.sent.append((protos.events.JID.FromString(to), protos.e2e.Message.FromString(body)))
        return bytes(self.answer.SerializePartialToString())

    def _presence(self, uuid: bytes, _: bytes, __: int, state: int, ___: int) -> bytes:
        self._enter(f"SendChatPresence {state}", uuid)
        return b""

    def _mark_read(self, uuid: bytes, ids: bytes, _: int, *rest: Any) -> bytes:
        self._enter("MarkRead", uuid)
        chat, sender = (self._protos.events.JID.FromString(each) for each in (rest[0], rest[2]))
        self.read.append((ids.decode(), chat.User, sender.User, rest[4]))
        return b""

    def _disconnect(self, uuid: bytes) -> None:
        self._enter("Disconnect", uuid)

    def _logout(self, uuid: bytes) -> bytes:
        self._enter("Logout", uuid)
        return self.logout_error

    def _stop(self, uuid: bytes) -> bytes:
        with self._alone("stop"):
            self.calls.append("Stop")
            life = self.lives.pop(uuid, None)
        if life is not None:
            life.end()
        return b""

    def _enter(self, name: str, uuid: bytes) -> None:
        self.calls.append(name)
        if uuid not in self.lives:
            self.fatal.append(f"{name} for a company the client does not know")
        if hold := self.holds.get(name):
            hold.wait(10)

    def _alone(self, what: str) -> threading.Lock:
        if self._placing.locked():
            self.fatal.append(f"a {what} beside another start or stop")
        return self._placing
