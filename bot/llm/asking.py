"""One target, asked with patience: tries, waits, one repair, and a breaker in front."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import tenacity

from bot.llm.breaker import Breaker
from bot.llm.faults import REPAIRABLE, Fault, Outcome
from bot.llm.reading import Said, read, salvaged
from handlers.answer import Answer
from handlers.base import Message, Prompt
from models.text import cut

OnCall = Callable[[str, str, float, int], None]
"""Told of every request: target, outcome, seconds, tokens."""

_SHOWN_CHARACTERS = 4_000
_SHORTEST_TRY = 0.5


class Target(Protocol):
    """One endpoint that is asked once; everything that goes wrong is a `Fault`."""

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def try_seconds(self) -> float: ...

    async def ask(self, messages: Sequence[Message], cache_key: str) -> Said: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How hard a target is tried.

    While another target is left, waiting for this one ends after ``patience`` seconds, and a
    single try gets at most half of the time that remains.
    """

    tries: int = 3
    first_wait: float = 0.5
    longest_wait: float = 8.0
    patience: float = 2.0


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens of several requests; ``prompt`` None: of some nobody said how many were read."""

    tokens: int = 0
    prompt: int | None = 0

    def __add__(self, more: "Spent") -> "Spent":
        told = self.prompt is not None and more.prompt is not None
        prompt = (self.prompt or 0) + (more.prompt or 0) if told else None
        return Spent(self.tokens + more.tokens, prompt)


@dataclass(slots=True)
class _Asking:
    """One answer in the making: until when, how patiently, and what it has cost so far.

    No try begins after *tries_end*, on the loop's clock.
    """

    deadline: float
    last: bool
    tries_end: float
    spent: Spent = Spent()


class Door:
    """A target with its breaker; raises the last `Fault` when no valid answer came."""

    def __init__(self, target: Target, *, pace: Pace, on_call: OnCall) -> None:
        self.target = target
        self._pace = pace
        self._on_call = on_call
        self.breaker = Breaker(_now)

    async def answer(self, prompt: Prompt, *, deadline: float, last: bool) -> tuple[Answer, Spent]:
        """A valid answer and what it cost; the loop's clock must not pass *deadline*."""
        permit = self.breaker.enter()
        if permit is None:
            self._on_call(self.target.name, Outcome.SKIPPED, 0.0, 0)
            raise Fault(Outcome.SKIPPED, counts=False)
        try:
            answer, spent = await self._answer(prompt, deadline, last=last)
        except Fault as fault:
            if fault.counts:
                self.breaker.failed(permit)
            elif fault.outcome is not Outcome.TIMEOUT:
                self.breaker.succeeded(permit)
            raise
        else:
            self.breaker.succeeded(permit)
            return answer, spent
        finally:
            self.breaker.left(permit)

    async def _answer(self, prompt: Prompt, deadline: float, *, last: bool) -> tuple[Answer, Spent]:
        tries_end = deadline if last else min(deadline, _now() + self._pace.patience)
        asking = _Asking(deadline, last, tries_end)
        try:
            return await self._read(prompt, asking)
        except Fault as fault:
            if fault.outcome not in REPAIRABLE:
                raise
            first = fault
        repair = prompt.corrected(cut(first.content, _SHOWN_CHARACTERS) or "…", prompt.repair)
        try:
            return await self._read(repair, asking)
        except Fault as fault:
            rescued = salvaged(fault.content) or salvaged(first.content)
            if rescued is None:
                raise
            return rescued, asking.spent

    async def _read(self, prompt: Prompt, asking: _Asking) -> tuple[Answer, Spent]:
        try:
            return await self._once(prompt, asking), asking.spent
        except Fault as fault:
            if not fault.retryable:
                raise
            failed = [fault]

        async def again() -> Answer:
            if failed:  # The first try: it went without tenacity, which costs one that is good.
                raise failed.pop()
            return await self._once(prompt, asking)

        return await self._retrying(asking.tries_end)(again), asking.spent

    async def _once(self, prompt: Prompt, asking: _Asking) -> Answer:
        """One request, counted and measured, whatever its end."""
        began, outcome, spent = _now(), Outcome.CANCELLED, Spent()
        seconds = self._seconds(asking, began)
        try:
            words = await _within(seconds, self.target.ask(prompt.messages, prompt.cache_key))
            outcome, spent = Outcome.ANSWERED, Spent(words.tokens, words.prompt_tokens)
            return read(words)
        except Fault as fault:
            outcome = fault.outcome
            spent = Spent(fault.tokens, fault.prompt_tokens) if fault.tokens else Spent()
            fault.counts = fault.counts and not self._was_hurried(fault, seconds)
            raise
        finally:
            asking.spent = asking.spent + spent
            self._on_call(self.target.name, outcome, _now() - began, spent.tokens)

    def _seconds(self, asking: _Asking, now: float) -> float:
        left = asking.deadline - now
        seconds = min(self.target.try_seconds, left if asking.last else left / 2)
        if seconds < min(_SHORTEST_TRY, self.target.try_seconds):
            raise Fault(Outcome.TIMEOUT, retryable=False, counts=False)
        return seconds

    def _was_hurried(self, fault: Fault, seconds: float) -> bool:
        """Whether the target had less than half of the time it is meant to have."""
        return fault.outcome is Outcome.TIMEOUT and seconds < self.target.try_seconds / 2

    def _retrying(self, tries_end: float) -> tenacity.AsyncRetrying:
        jittered = tenacity.wait_random_exponential(
            multiplier=self._pace.first_wait, max=self._pace.longest_wait
        )

        def wait(state: tenacity.RetryCallState) -> float:
            asked = _fault(state).retry_after
            return asked + random.uniform(0, min(asked, 2) / 4) if asked else jittered(state)  # noqa: S311 - Jitter, no secret.

        def stop(state: tenacity.RetryCallState) -> bool:
            over = state.attempt_number >= self._pace.tries
            return over or _now() + state.upcoming_sleep >= tries_end

        return tenacity.AsyncRetrying(
            wait=wait, stop=stop, retry=tenacity.retry_if_exception(_may_retry), reraise=True
        )


def _may_retry(error: BaseException) -> bool:
    return isinstance(error, Fault) and error.retryable


def _fault(state: tenacity.RetryCallState) -> Fault:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, Fault) else Fault(Outcome.TIMEOUT)


async def _within(seconds: float, asked: Awaitable[Said]) -> Said:
    try:
        async with asyncio.timeout(seconds):
            return await asked
    except TimeoutError:
        raise Fault(Outcome.TIMEOUT) from None


def _now() -> float:
    return asyncio.get_running_loop().time()
