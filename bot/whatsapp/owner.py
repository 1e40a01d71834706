"""What the owner typed on the phone, known in memory before it is known anywhere else."""

import threading
from collections.abc import Iterable

from bot.wire import OwnerHand


class OwnerHands:
    """The owner's doings by chat: marked on the client's thread, read on the loop's."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._hands: dict[str, tuple[int, int]] = {}

    def seen(self, chats: Iterable[str]) -> None:
        """The owner typed; a pause is not durable yet."""
        self._move(chats, count=1, waiting=1)

    def settled(self, chats: Iterable[str]) -> None:
        """The pause of one such message is durable now."""
        self._move(chats, count=0, waiting=-1)

    def hand(self, chat: str) -> OwnerHand:
        """What is known of *chat*, at once."""
        count, waiting = self._hands.get(chat, (0, 0))
        return OwnerHand(count=count, pending=waiting > 0)

    def _move(self, chats: Iterable[str], *, count: int, waiting: int) -> None:
        with self._changing:
            for chat in chats:
                before = self._hands.get(chat, (0, 0))
                self._hands[chat] = (before[0] + count, max(0, before[1] + waiting))
