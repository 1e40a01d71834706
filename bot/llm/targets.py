"""The language models in the order they are asked, the built-in rules last."""

import asyncio
import logging
from collections.abc import Sequence

from bot.llm.asking import Door, OnCall
from bot.llm.faults import FINAL, OPERATOR, Fault, Outcome
from bot.llm.offline import NAME, Offline
from handlers.answer import Answer
from handlers.base import Completion, Prompt
from models.errors import GiveUp, RetryLater

log = logging.getLogger(__name__)


class Targets:
    """Asks each target until one answers, within one deadline; a `LanguageModel`."""

    def __init__(
        self,
        doors: Sequence[Door],
        offline: Offline,
        *,
        deadline_seconds: float,
        description: str,
        on_call: OnCall,
    ) -> None:
        self._doors = doors
        self._offline = offline
        self._deadline_seconds = deadline_seconds
        self._description = description
        self._on_call = on_call

    def describe(self) -> str:
        """One line for people: who is asked, in which order."""
        return self._description

    def states(self) -> dict[str, str]:
        """Each target's breaker: ``closed``, ``open`` or ``probing``."""
        return {door.target.name: door.breaker.state for door in self._doors}

    async def complete(self, prompt: Prompt, *, spent: float = 0.0) -> Completion:
        """A valid answer. Raises RetryLater when nothing answers, GiveUp when all refuse.

        *spent* seconds of the deadline are gone already.
        """
        began = _now()
        deadline = began + self._deadline_seconds - spent
        faults: list[Fault] = []
        for door in self._doors:
            last = door is self._doors[-1]
            try:
                answer, cost = await door.answer(prompt, deadline=deadline, last=last)
            except Fault as fault:
                _report(door, fault)
                faults.append(fault)
            else:
                target = door.target
                return Completion(
                    answer,
                    target.name,
                    target.model,
                    cost.tokens,
                    _now() - began,
                    cost.prompt,
                )
        if (rules := self._rules(prompt)) is not None:
            return Completion(rules, NAME, NAME, 0, _now() - began)
        raise _nobody(faults)

    def _rules(self, prompt: Prompt) -> Answer | None:
        answer = self._offline.answer(prompt.turn, only_known=bool(self._doors))
        outcome = Outcome.DECLINED if answer is None else Outcome.ANSWERED
        self._on_call(NAME, outcome, 0.0, 0)
        return answer


def _nobody(faults: Sequence[Fault]) -> RetryLater | GiveUp:
    ends = ", ".join(fault.outcome for fault in faults)
    if all(fault.outcome in FINAL for fault in faults):
        return GiveUp(f"every language model refused this request ({ends})")
    return RetryLater(f"no language model answered ({ends})")


def _report(door: Door, fault: Fault) -> None:
    extra = {
        "target": door.target.name,
        "outcome": fault.outcome.value,
        "request_id": fault.request_id,
    }
    if fault.outcome in OPERATOR:
        log.error("LLM target failed: %s", OPERATOR[fault.outcome], extra=extra)
    elif fault.outcome is not Outcome.SKIPPED:
        log.warning("LLM target failed", extra=extra)


def _now() -> float:
    return asyncio.get_running_loop().time()
