"""A wire's steps in the ledger: what has left, and whether the next may leave."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

_Both = asyncio.Future[Sequence[Any]]


class _Mark:
    """What has left, which waits a moment for a last look; with one, how both are answered."""

    def __init__(self, arguments: tuple[object, ...]) -> None:
        self.arguments = arguments
        self.both: _Both | None = None


class Departures:
    """Marks and last looks; a busy wire takes the next part when one has left: one call."""

    def __init__(self, call: Callable[..., Awaitable[Mapping[str, Any]]]) -> None:
        self._call = call
        self._marks: dict[UUID, list[_Mark]] = {}

    async def sent(self, company_id: UUID, *mark: object, look_follows: bool) -> bool:
        """Whether the customer has written more meanwhile.

        *look_follows*: by the next turn of the event loop the company probably looks at a part.
        """
        both = await self._look_after(company_id, mark) if look_follows else None
        if both is not None:
            return bool((await asyncio.shield(both))[0])
        return bool((await self._ask("road_sent", company_id, *mark))[0])

    async def sending(self, company_id: UUID, *look: object, asked: Callable[[], object]) -> str:
        """go, stopped or gone; *asked* is called when the question leaves."""
        marks = self._marks.get(company_id)
        if not marks:
            return str((await self._ask("road_sending", company_id, *look, asked=asked))[0])
        mark = marks.pop(0)
        arguments = (*mark.arguments, *look)
        both = self._ask("road_sent_and_sending", company_id, *arguments, asked=asked)
        mark.both = asyncio.ensure_future(both)
        mark.both.add_done_callback(_heard)
        return str((await asyncio.shield(mark.both))[1])

    async def _look_after(self, company_id: UUID, arguments: tuple[object, ...]) -> _Both | None:
        mark = _Mark(arguments)
        marks = self._marks.setdefault(company_id, [])
        marks.append(mark)
        try:
            await asyncio.sleep(0)
        finally:
            if mark in marks:
                marks.remove(mark)
            if not marks:
                self._marks.pop(company_id, None)
        return mark.both

    async def _ask(self, function: str, *arguments: object, **options: Any) -> Sequence[Any]:
        return tuple((await self._call(function, *arguments, **options)).values())


def _heard(both: _Both) -> None:
    """Whoever asked may have left; the error is theirs no more."""
    if not both.cancelled():
        both.exception()
