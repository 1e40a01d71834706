"""A wire's steps in the ledger: what has left, and whether the next may leave."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.gathering import Gathering

_SENT = "road_sent"
_SENDING = "road_sending"
_BOTH = "road_sent_and_sending"


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    function: str
    company_id: UUID
    arguments: tuple[object, ...]


class Departures:
    """Marks and last looks. Where a wire is busy they fall into one moment, and share one way."""

    def __init__(self, call: Callable[..., Awaitable[Mapping[str, Any]]]) -> None:
        self._call = call
        self._steps = Gathering(self._take)

    async def sent(self, company_id: UUID, *mark: object) -> bool:
        """Whether the customer has written more meanwhile."""
        return bool(await self._steps.ask(_Step(_SENT, company_id, mark)))

    async def sending(self, company_id: UUID, *look: object) -> str:
        """go, stopped or gone."""
        return str(await self._steps.ask(_Step(_SENDING, company_id, look)))

    async def _take(self, steps: Sequence[_Step]) -> Sequence[Any]:
        ways = list(_ways(steps))
        told = await asyncio.gather(*map(self._go, ways), return_exceptions=True)
        answers: dict[_Step, Any] = {}
        for way, answer in zip(ways, told, strict=True):
            each = [answer] * len(way) if isinstance(answer, BaseException) else answer
            answers |= zip(way, each, strict=True)
        return [answers[step] for step in steps]

    async def _go(self, way: Sequence[_Step]) -> Sequence[Any]:
        function = way[0].function if len(way) == 1 else _BOTH
        arguments = [argument for step in way for argument in step.arguments]
        return tuple((await self._call(function, way[0].company_id, *arguments)).values())


def _ways(steps: Sequence[_Step]) -> Iterator[tuple[_Step, ...]]:
    """One mark or one last look each, or one of both of the same company."""
    marks = [step for step in steps if step.function == _SENT]
    for look in (step for step in steps if step.function == _SENDING):
        mark = next((one for one in marks if one.company_id == look.company_id), None)
        if mark is not None:
            marks.remove(mark)
        yield (look,) if mark is None else (mark, look)
    yield from ((mark,) for mark in marks)
