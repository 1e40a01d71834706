"""What a customer sees of an answer in the making: two blue ticks, and "typing…"."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bot.background import Background
from bot.wire import OwnerHand, Wire
from models.manner import Manner

TICK_SECONDS = 0.2
FIRST_SECONDS = 0.6
"""A person reads before writing; an answer that is there by then shows no typing."""
AGAIN_SECONDS = 8.0
"""WhatsApp lets "typing…" fade 10 to 25 s after it was last shown."""
LONGEST_SECONDS = 120.0
"""Longer than any answer takes; whoever forgot to hide it is forgotten then."""


@dataclass(slots=True)
class _Shown:
    hand: OwnerHand
    began: float
    due: float
    timer: asyncio.TimerHandle
    on: bool = False


class Presence:
    """One wire's; nothing here is waited for, and every failure is the wire's to log.

    The owner's hand ends it: within `TICK_SECONDS` "typing…" is hidden, and stays so.
    """

    def __init__(self, wire: Wire, background: Background) -> None:
        self._wire = wire
        self._background = background
        self._chats: dict[str, _Shown] = {}

    def attend(self, chat: str, wa_ids: Sequence[str], manner: Manner) -> None:
        """A turn begins that answers these messages."""
        if manner.mark_read:
            self._background.start(self._wire.mark_read(chat, wa_ids), name="mark read")
        if manner.typing:
            self._begin(chat, after=FIRST_SECONDS)

    async def write(self, chat: str, seconds: float, *, typing: bool) -> None:
        """Take *seconds* over one bubble."""
        if typing and self._begin(chat, after=AGAIN_SECONDS, on=True):
            await self._wire.typing(chat, on=True)
        await asyncio.sleep(seconds)

    def arrived(self, chat: str) -> None:
        """A bubble has arrived, which hides "typing…" on the phone."""
        if (shown := self._chats.pop(chat, None)) is not None:
            shown.timer.cancel()

    def hide(self, chat: str) -> None:
        """Nothing comes for now."""
        shown = self._chats.pop(chat, None)
        if shown is not None:
            shown.timer.cancel()
            if shown.on:
                self._background.start(self._wire.typing(chat, on=False), name="typing")

    def close(self) -> None:
        """Show nothing any more."""
        for shown in self._chats.values():
            shown.timer.cancel()
        self._chats.clear()

    def _begin(self, chat: str, *, after: float, on: bool = False) -> bool:
        hand = self._wire.owner_hand(chat)
        if hand.pending:
            return False
        if (shown := self._chats.get(chat)) is not None:
            on = on or shown.on  # The customer sees it until somebody hides it.
        self.arrived(chat)
        loop = asyncio.get_running_loop()
        now = loop.time()
        timer = loop.call_later(TICK_SECONDS if on else after, self._tick, chat)
        self._chats[chat] = _Shown(hand, now, now + after, timer, on)
        return True

    def _tick(self, chat: str) -> None:
        shown, loop = self._chats[chat], asyncio.get_running_loop()
        now = loop.time()
        if self._wire.owner_hand(chat) != shown.hand or now - shown.began > LONGEST_SECONDS:
            self.hide(chat)
            return
        if now >= shown.due:
            shown.due, shown.on = now + AGAIN_SECONDS, True
            self._background.start(self._wire.typing(chat, on=True), name="typing")
        shown.timer = loop.call_later(TICK_SECONDS, self._tick, chat)
