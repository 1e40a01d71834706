"""What became of a message, a turn or a reply: found across companies, told within its own."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

_ROW = re.compile(r"(?:inbox-|outbox-)?(\d{1,18})")
_TURN = re.compile(r"[0-9a-fA-F]{4,32}")


@dataclass(frozen=True, slots=True)
class Found:
    """A row of the ledger: ``ledger`` is inbox, outbox or turn."""

    company_id: UUID
    ledger: str
    id: str

    def __str__(self) -> str:
        return f"{self.ledger}-{self.id}" if self.ledger != "turn" else self.id


class Stories:
    """For an operator; off the road. Every method may raise RetryLater."""

    def __init__(
        self,
        call: Callable[..., Awaitable[Mapping[str, Any]]],
        rows: Callable[..., Awaitable[Sequence[Mapping[str, Any]]]],
    ) -> None:
        self._call = call
        self._rows = rows

    async def find(self, text: str) -> list[Found]:
        """Every row that *text* may name.

        WhatsApp's id of a message or of a reply, ``inbox-N``, ``outbox-N``, a bare number, or a
        turn's id or its beginning.
        """
        row = _ROW.fullmatch(text)
        number = int(row[1]) if row else None
        found = await self._rows("desk_find", text, number, *_turns(text))
        return [Found(each["company_id"], each["ledger"], each["id"]) for each in found]

    async def tell(self, found: Found) -> dict[str, Any] | None:
        """All that the ledger knows: company, customer, turn, messages, parts, notices."""
        args = (found.company_id, found.ledger, found.id)
        told: dict[str, Any] | None = _json(await self._call("road_why", *args))
        return told

    async def logged(self, text: str) -> list[dict[str, Any]]:
        """What the logs say of a reply or a turn whose rows were cleared, newest first."""
        number = text.removeprefix("outbox-")
        if number.isdecimal():
            asked = ("outboxId", number)
        elif _TURN.fullmatch(text.replace("-", "")) and len(text) == len(str(UUID(int=0))):
            asked = ("turnId", text.lower())
        else:
            asked = ("waId", text)
        return list(_json(await self._call("desk_logged", *asked)))

    async def was_there(self, text: str) -> bool:
        """Whether *text* is the number of a row that has been given away once."""
        row = _ROW.fullmatch(text)
        if row is None:
            return False
        highest = await self._call("desk_highest")
        tables = [name for name in ("inbox", "outbox") if text.startswith((name, row[1]))]
        return any(0 < int(row[1]) <= (highest[name] or 0) for name in tables)


def _turns(text: str) -> tuple[UUID | None, UUID | None]:
    """The first and the last turn whose id begins with *text*."""
    digits = text.replace("-", "")
    if not _TURN.fullmatch(digits):
        return None, None
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


def _json(row: Mapping[str, Any]) -> Any:
    value = next(iter(row.values()))
    return json.loads(value) if isinstance(value, str) else value
