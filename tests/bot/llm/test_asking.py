"""Patience in virtual time: how long we wait, and when we stop."""

import asyncio
from collections.abc import Sequence

import pytest

from bot.llm.asking import Door, OnCall, Pace
from bot.llm.faults import Fault, Outcome
from bot.llm.reading import Said
from handlers import Message, Prompts
from handlers.brief import Briefs
from tests.handlers.making import answer, turn


class Script:
    """A target that does these things in turn: a fault, or seconds until it answers."""

    name, model, try_seconds = "a", "model-a", 12.0

    def __init__(self, *steps: Fault | float) -> None:
        self._steps = list(steps)
        self.asked_at: list[float] = []

    async def ask(self, messages: Sequence[Message], cache_key: str) -> Said:
        assert messages
        assert cache_key
        self.asked_at.append(now())
        step = self._steps.pop(0)
        if isinstance(step, Fault):
            raise step
        await asyncio.sleep(step)
        return Said(answer().model_dump_json(), 10)


def now() -> float:
    return asyncio.get_running_loop().time()


def door(target: Script, on_call: OnCall = lambda *_: None) -> Door:
    return Door(target, pace=Pace(), on_call=on_call)


async def ask(opened: Door, prompts: Prompts, *, last: bool = True, seconds: float = 20.0) -> None:
    prompt = Briefs(prompts).prompt(turn())
    await opened.answer(prompt, deadline=now() + seconds, last=last)


def gaps(target: Script) -> list[float]:
    return [
        later - earlier
        for earlier, later in zip(target.asked_at, target.asked_at[1:], strict=False)
    ]


@pytest.mark.looptime
@pytest.mark.asyncio(loop_scope="function")
async def test_the_servers_own_wait_is_kept_with_a_little_jitter(prompts: Prompts) -> None:
    target = Script(Fault(Outcome.RATE_LIMITED, retry_after=5.0), 0.1)

    await ask(door(target), prompts)

    assert 5.0 <= gaps(target)[0] <= 5.5


@pytest.mark.looptime
@pytest.mark.asyncio(loop_scope="function")
async def test_three_tries_are_all_and_their_waits_are_short(prompts: Prompts) -> None:
    target = Script(*(Fault(Outcome.SERVER_ERROR) for _ in range(4)))

    with pytest.raises(Fault):
        await ask(door(target), prompts)

    assert len(target.asked_at) == 3
    assert all(gap <= limit for gap, limit in zip(gaps(target), (0.5, 1.0), strict=True))


@pytest.mark.looptime
@pytest.mark.asyncio(loop_scope="function")
async def test_a_wait_beyond_the_deadline_is_not_begun(prompts: Prompts) -> None:
    target = Script(Fault(Outcome.RATE_LIMITED, retry_after=30.0), 0.1)
    began = now()

    with pytest.raises(Fault) as caught:
        await ask(door(target), prompts)

    assert caught.value.outcome == Outcome.RATE_LIMITED
    assert now() - began < 0.1


@pytest.mark.looptime
@pytest.mark.asyncio(loop_scope="function")
async def test_a_long_wait_is_not_worth_it_while_another_target_is_left(prompts: Prompts) -> None:
    target = Script(Fault(Outcome.RATE_LIMITED, retry_after=3.0), 0.1)

    with pytest.raises(Fault):
        await ask(door(target), prompts, last=False)

    assert len(target.asked_at) == 1


@pytest.mark.looptime
@pytest.mark.asyncio(loop_scope="function")
async def test_a_silent_target_is_cut_at_its_own_limit_and_then_at_the_deadline(
    prompts: Prompts,
) -> None:
    target = Script(60.0, 60.0, 60.0)
    began = now()

    with pytest.raises(Fault) as caught:
        await ask(door(target), prompts)

    assert caught.value.outcome == Outcome.TIMEOUT
    assert len(target.asked_at) == 2
    assert now() - began == pytest.approx(20.0, abs=0.1)


@pytest.mark.looptime
@pytest.mark.asyncio(loop_scope="function")
async def test_a_target_that_had_no_time_is_not_blamed(prompts: Prompts) -> None:
    target = Script(*(60.0 for _ in range(10)))
    opened = door(target)

    for _ in range(6):
        with pytest.raises(Fault):
            await ask(opened, prompts, seconds=3.0)

    assert opened.breaker.state == "closed"


@pytest.mark.looptime
@pytest.mark.asyncio(loop_scope="function")
async def test_a_silent_target_opens_its_breaker(prompts: Prompts) -> None:
    target = Script(*(60.0 for _ in range(20)))
    opened = door(target)

    for _ in range(5):
        with pytest.raises(Fault):
            await ask(opened, prompts, last=False)

    assert opened.breaker.state == "open"


@pytest.mark.looptime
@pytest.mark.asyncio(loop_scope="function")
async def test_a_cancelled_turn_frees_the_probe(prompts: Prompts) -> None:
    target = Script(*(Fault(Outcome.AUTH) for _ in range(5)), 60.0, 0.1)
    ends: list[str] = []
    opened = door(target, lambda _, outcome, *__: ends.append(outcome))
    for _ in range(5):
        with pytest.raises(Fault):
            await ask(opened, prompts)
    await asyncio.sleep(10)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await ask(opened, prompts)
    await ask(opened, prompts)

    assert opened.breaker.state == "closed"
    assert ends[-2:] == ["cancelled", "answered"]
