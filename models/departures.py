"""A wire's steps in the ledger: what has left, and whether the next may leave."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
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


_Answer = Callable[[], Awaitable[Any]]


class Departures:
    """Marks and last looks. Where a wire is busy they fall into one moment, and share one way."""

    def __init__(self, call: Callable[..., Awaitable[Mapping[str, Any]]]) -> None:
        self._call = call
        self._steps = Gathering(self._share)

    async def sent(self, company_id: UUID, *mark: object) -> bool:
        """Whether the customer has written more meanwhile."""
        answer = await self._steps.ask(_Step(_SENT, company_id, mark))
        return bool(await answer())

    async def sending(self, company_id: UUID, *look: object) -> str:
        """go, stopped or gone."""
        answer = await self._steps.ask(_Step(_SENDING, company_id, look))
        return str(await answer())

    async def _share(self, steps: Sequence[_Step]) -> Sequence[_Answer]:
        """How each step gets its answer, so that none waits for another one's way."""
        answers: dict[_Step, _Answer] = {}
        for way in _ways(steps):
            if len(way) == 1:
                answers[way[0]] = partial(self._alone, way[0])
                continue
            both = asyncio.ensure_future(self._both(*way))
            both.add_done_callback(_heard)
            answers |= {step: partial(_part, both, place) for place, step in enumerate(way)}
        return [answers[step] for step in steps]

    async def _alone(self, step: _Step) -> Any:
        row = await self._call(step.function, step.company_id, *step.arguments)
        return next(iter(row.values()))

    async def _both(self, mark: _Step, look: _Step) -> Sequence[Any]:
        row = await self._call(_BOTH, mark.company_id, *mark.arguments, *look.arguments)
        return tuple(row.values())


async def _part(both: "asyncio.Future[Sequence[Any]]", place: int) -> Any:
    """One of two answers; who stops waiting does not stop the other."""
    return (await asyncio.shield(both))[place]


def _heard(both: "asyncio.Future[Sequence[Any]]") -> None:
    """Whoever asked may have left; the error is theirs no more."""
    if not both.cancelled():
        both.exception()


def _ways(steps: Sequence[_Step]) -> Iterator[tuple[_Step, ...]]:
    """One mark or one last look each, or one of both of the same company."""
    marks = [step for step in steps if step.function == _SENT]
    for look in (step for step in steps if step.function == _SENDING):
        mark = next((one for one in marks if one.company_id == look.company_id), None)
        if mark is not None:
            marks.remove(mark)
        yield (look,) if mark is None else (mark, look)
    yield from ((mark,) for mark in marks)
