"""A company, its customers and their lines, for the conversation store's contract."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from pymongo import monitoring

from models.conversations import Conversations
from models.mongo import Collections, Reach
from models.values import AiMetadata, CustomerRef, Line, Sender

COMPANY = UUID("6B1E6F0E-6F57-4F4B-9B44-3D6C0C2A9F10")
NOON = datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
AWAY = "mongodb://%2Fnonexistent%2Fmongodb.sock"
AI = AiMetadata("a-model", 150, 1200, intent="product_inquiry", confidence=0.89)


def customer(phone: str = "+17865550100", **changes: Any) -> CustomerRef:
    return CustomerRef(id=uuid4(), phone=phone, name="Ana", **changes)


def line(number: int, sender: Sender = Sender.CUSTOMER, text: str = "hola") -> Line:
    return Line(f"wa-{number}", NOON + timedelta(seconds=number), sender, text)


class Wiretap(monitoring.CommandListener):
    """Counts the commands that leave the client, their changes, and the bytes of each answer."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.changes = 0
        self.largest = 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.commands.append(event.command_name)
        self.changes += len(event.command.get("updates", ()))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        self.largest = max(self.largest, len(str(event.reply)))

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


class Killed(BaseException):
    """As if the process had ended here."""


def breaking(
    conversations: Conversations,
    calls: int,
    instead: Callable[[], Awaitable[None]] | None = None,
) -> Conversations:
    """The same store, before whose call number *calls* the process ends, or somebody else acts."""
    broken = Conversations(Collections(conversations._collection, conversations.archive._archive))
    broken.archive.most_living = conversations.archive.most_living
    reach = broken._reach

    async def ask(call: Callable[[], Awaitable[Any]]) -> Any:
        nonlocal calls
        calls -= 1
        if calls == -1:
            if instead is None:
                raise Killed
            await instead()
        return await Reach.ask(reach, call)

    reach.ask = ask  # type: ignore[method-assign]
    return broken
