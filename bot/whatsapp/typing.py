"""Which customers are typing, for the companies that want to wait for them."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import permutations
from typing import Any, Protocol, TypeVar

from bot.whatsapp.callbacks import CONNECTED
from bot.whatsapp.events import MESSAGE
from bot.whatsapp.identity import jid_text
from bot.whatsapp.library import Protos

TYPING = 19
"""The event by which the client tells who types; only these companies subscribe to it."""
FADE_SECONDS = 25.0
"""WhatsApp's own clients show "typing…" no longer without hearing of it again."""
_CHATS = 1000

Value = TypeVar("Value")


class Online(Protocol):
    """Where an account can be shown online."""

    async def show_online(self) -> None: ...


class CustomersTyping:
    """Told of events on the loop; a person counts as typing under each address they have.

    WhatsApp tells only accounts that are online, so the session has to show itself so after each
    login: ``online`` says whether it has.
    """

    def __init__(self, protos: Protos, clock: Callable[[], float]) -> None:
        self._protos = protos
        self._clock = clock
        self.online = False
        self._since: OrderedDict[str, float] = OrderedDict()
        self._known_as: OrderedDict[str, str] = OrderedDict()

    def is_typing(self, chat: str) -> bool:
        """Whether the customer of *chat* is typing now."""
        now = self._clock()
        return any(
            now - self._since.get(place, -FADE_SECONDS) < FADE_SECONDS
            for place in (chat, self._known_as.get(chat, chat))
        )

    async def show_online(self, connection: Online) -> None:
        """Once for the present login. Raises NotSent."""
        await connection.show_online()
        self.online = True

    def follow(self, code: int, raw: bytes) -> None:
        """An event of the client's: a login, somebody who begins or stops typing, a message."""
        try:
            if code == CONNECTED:
                self.online = False
            elif code == TYPING:
                self._types(self._protos.events.ChatPresence.FromString(raw))
            elif code == MESSAGE:
                self._wrote(self._protos.events.Message.FromString(raw).Info.MessageSource)
        except self._protos.broken:
            return

    def _types(self, event: Any) -> None:
        places = _places(event.MessageSource)
        self._stop(places)
        if event.State == event.COMPOSING and not event.MessageSource.IsGroup:
            for place in places:
                _keep(self._since, place, self._clock())

    def _wrote(self, source: Any) -> None:
        """What has come is typed; and both addresses are the same person's."""
        places = [] if source.IsFromMe else _places(source)
        self._stop(places)
        for one, other in permutations(places, 2):
            _keep(self._known_as, one, other)

    def _stop(self, places: Iterable[str]) -> None:
        for place in places:
            for known in (place, self._known_as.get(place, place)):
                self._since.pop(known, None)


def _places(source: Any) -> list[str]:
    return [jid_text(jid) for jid in (source.Chat, source.SenderAlt) if not jid.IsEmpty]


def _keep(table: OrderedDict[str, Value], place: str, value: Value) -> None:
    table.pop(place, None)
    table[place] = value
    if len(table) > _CHATS:
        table.popitem(last=False)
