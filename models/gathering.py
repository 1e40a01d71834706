"""Asking together: what is asked in the same moment of one store goes there in one call."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from models.errors import GiveUp, RetryLater

Question = TypeVar("Question")
Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Asked(Generic[Question, Answer]):
    question: Question
    answer: asyncio.Future[Answer]

    def tell(self, answer: Answer | Exception) -> None:
        """Answer, unless that is done or nobody waits for it any more."""
        if self.answer.done():
            return
        if isinstance(answer, Exception):
            self.answer.set_exception(answer)
            self.answer.exception()  # Heard, even if whoever asked is gone.
        else:
            self.answer.set_result(answer)


class Gathering(Generic[Question, Answer]):
    """Passes questions to *ask*, all those of one turn of the event loop at once.

    *ask* answers in the order of the questions; what it raises, each of them raises. An answer
    that is an exception is raised to the one whose answer it is.
    """

    def __init__(
        self, ask: Callable[[Sequence[Question]], Awaitable[Sequence[Answer | Exception]]]
    ) -> None:
        self._ask = ask
        self._asked: list[_Asked[Question, Answer]] = []

    async def ask(self, question: Question) -> Answer:
        """The answer to *question*; RetryLater also when whoever asked for all was cancelled."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        mine = _Asked(question, answer)
        self._asked.append(mine)
        if len(self._asked) == 1:
            await self._ask_for_all()
        return await answer

    async def _ask_for_all(self) -> None:
        asked = self._asked
        try:
            await asyncio.sleep(0)
            self._asked = []
            answers = await self._ask([one.question for one in asked])
            for one, answer in zip(asked, answers, strict=True):
                one.tell(answer)
        except (RetryLater, GiveUp) as error:
            for one in asked:
                one.tell(error)
        finally:
            if self._asked is asked:  # Cancelled before it began.
                self._asked = []
            for one in asked:
                one.tell(RetryLater("whoever asked for this and others was cancelled"))
