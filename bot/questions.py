"""What works and what does not: stores are asked in a bounded time, the process knows itself."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from bot.conditions import Condition, Names
from bot.degraded import Degraded, Mode, Problem
from models.errors import LyroxError

STORE_SECONDS = 0.6
"""A store that takes longer does not answer; ``lyrox status`` itself waits a second."""
PATIENT_SECONDS = 2.5
"""The same where nobody waits for it: a busy store is not away."""

_TITLES = {Mode.POSTGRES: "PostgreSQL", Mode.REDIS: "Redis", Mode.MONGO: "MongoDB"}


class Question:
    """One question to a store, never asked again while it hangs.

    It is left alone then and not cancelled, because a cancelled statement waits for the server.
    """

    def __init__(self, store: Mode, ask: Callable[[], Awaitable[Any]], meanwhile: str) -> None:
        self._store = store
        self._ask = ask
        self._meanwhile = meanwhile
        self._asked: asyncio.Future[Any] | None = None

    async def ask(self, seconds: float = STORE_SECONDS) -> tuple[Problem | None, Any]:
        """What is wrong, or None, and the answer."""
        if self._asked is None or self._asked.done():
            self._asked = asyncio.ensure_future(self._ask())
            self._asked.add_done_callback(_heard)
        await asyncio.wait([self._asked], timeout=seconds)
        if not self._asked.done():
            return self._problem(f"nothing within {seconds:g} s"), None
        try:
            return None, self._asked.result()
        except LyroxError as error:
            return self._problem(str(error)), None

    def _problem(self, why: str) -> Problem:
        what, meanwhile = _TITLES[self._store], self._meanwhile
        return Problem(
            self._store, f"{what} does not answer: until it is back, {meanwhile} ({why})"
        )


class Lookout:
    """Looks at everything that may be amiss; *degraded* hears of the patient looks."""

    def __init__(
        self,
        questions: Sequence[Question],
        conditions: Sequence[Condition],
        degraded: Degraded,
    ) -> None:
        self._questions = questions
        self._conditions = conditions
        self._degraded = degraded

    async def look(
        self, names: Names = str, *, seconds: float = STORE_SECONDS
    ) -> tuple[list[Problem], list[Any]]:
        """What is amiss, and what the stores said in *seconds*, None for one that did not."""
        asked = await asyncio.gather(*(question.ask(seconds) for question in self._questions))
        problems = [problem for problem, _ in asked if problem]
        for condition in self._conditions:
            problems += condition(names)
        if seconds >= PATIENT_SECONDS:
            self._degraded.see(problems)
        return problems, [answer for _, answer in asked]

    def told(self, problems: Sequence[Problem]) -> list[dict[str, object]]:
        """The modes that hold, for ``/status``."""
        seconds = self._degraded.seconds
        return [
            {"mode": one.mode.value, "seconds": round(seconds(one.mode)), "says": one.sentence}
            for one in problems
        ]


def _heard(asked: asyncio.Future[Any]) -> None:
    """An answer that came too late for anybody is no fault to be logged."""
    if not asked.cancelled():
        asked.exception()
