import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest

from bot.whatsapp.gate import Gate, Line, NotBegun, on_loop


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    gate = Gate(workers=4, entry_seconds=0.05)
    yield gate
    gate.close()


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.close()


async def test_calls_run_side_by_side(gate: Gate) -> None:
    together = threading.Barrier(3)

    await asyncio.gather(*(gate.call(lambda: together.wait(5)) for _ in range(3)))


async def test_no_call_enters_while_a_start_is_at_the_maps(gate: Gate) -> None:
    placed = threading.Event()
    order = []
    start = asyncio.ensure_future(gate.alone(lambda: order.append("start"), placed, limit=5))
    await asyncio.sleep(0.02)
    call = asyncio.ensure_future(gate.call(lambda: order.append("call")))
    await asyncio.sleep(0.05)
    assert order == ["start"]

    order.append("placed")
    placed.set()
    await asyncio.gather(start, call)

    assert order == ["start", "placed", "call"]


async def test_starts_and_stops_take_turns(gate: Gate) -> None:
    inside = 0
    most = 0

    def step() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.01)
        inside -= 1

    await asyncio.gather(*(gate.alone(step, limit=0) for _ in range(5)))

    assert most == 1


async def test_a_start_waits_for_a_call_to_enter_but_not_for_its_end(gate: Gate) -> None:
    release = threading.Event()
    entered = threading.Event()

    def long_call() -> float:
        entered.set()
        release.wait(5)
        return time.monotonic()

    call = asyncio.ensure_future(gate.call(long_call))
    await asyncio.to_thread(entered.wait)
    began = time.monotonic()
    started = await gate.alone(time.monotonic, limit=0)
    release.set()

    assert 0.03 <= started - began < 1
    assert await call > started


async def test_a_start_that_never_reports_holds_the_gate_only_to_its_limit(gate: Gate) -> None:
    await gate.alone(lambda: None, threading.Event(), limit=0.05)

    assert await gate.call(lambda: "open") == "open"


async def test_an_error_in_a_call_reaches_its_caller_and_frees_the_gate(gate: Gate) -> None:
    def fail() -> None:
        raise LookupError("no")

    for run in (gate.call(fail), gate.alone(fail, limit=0)):
        with pytest.raises(LookupError):
            await run

    assert await gate.call(lambda: "open") == "open"


async def test_the_loops_own_threads_stay_free(gate: Gate) -> None:
    release = threading.Event()
    busy = [asyncio.ensure_future(gate.call(lambda: release.wait(5))) for _ in range(8)]

    assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 2) == "free"

    release.set()
    await asyncio.gather(*busy)


async def test_a_call_that_finds_no_thread_in_time_never_begins(gate: Gate) -> None:
    free, begun = threading.Event(), threading.Event()
    busy = [asyncio.ensure_future(gate.call(lambda: free.wait(5))) for _ in range(4)]
    await asyncio.sleep(0.05)

    with pytest.raises(NotBegun):
        await gate.call(begun.set, begin_limit=0.1)
    free.set()
    await asyncio.gather(*busy)
    await gate.call(lambda: None)

    assert not begun.is_set()


async def test_a_call_that_has_begun_is_waited_for_past_its_limit(gate: Gate) -> None:
    def slow() -> str:
        time.sleep(0.2)
        return "done"

    assert await gate.call(slow, begin_limit=0.05) == "done"


async def test_calls_of_a_line_take_turns_in_their_order_and_hold_up_no_others(
    gate: Gate, line: Line
) -> None:
    order: list[int] = []
    free = threading.Event()

    def step(number: int) -> None:
        order.append(number)
        free.wait(5)
        order.append(number)

    calls = [asyncio.ensure_future(gate.call(partial(step, n), line=line)) for n in range(3)]
    await asyncio.sleep(0.05)
    assert await gate.call(lambda: list(order)) == [0]
    free.set()
    await asyncio.gather(*calls)

    assert order == [0, 0, 1, 1, 2, 2]


async def test_the_next_of_a_line_begins_while_the_loop_is_busy(gate: Gate, line: Line) -> None:
    ended, begun = threading.Event(), threading.Event()
    calls = [asyncio.ensure_future(gate.call(end, line=line)) for end in (ended.set, begun.set)]
    await asyncio.sleep(0)

    assert begun.wait(5)  # On the loop's own thread.

    await asyncio.gather(*calls)
    assert ended.is_set()


async def test_what_comes_first_keeps_a_call_from_entering(gate: Gate, line: Line) -> None:
    entered = threading.Event()

    def refuse() -> None:
        raise LookupError("too late")

    with pytest.raises(LookupError):
        await gate.call(entered.set, line=line, first=refuse)

    assert not entered.is_set()
    assert await gate.call(lambda: "the next", line=line) == "the next"


async def test_a_call_whose_turn_does_not_come_in_time_never_begins(gate: Gate, line: Line) -> None:
    free, begun = threading.Event(), threading.Event()
    busy = asyncio.ensure_future(gate.call(lambda: free.wait(5), line=line))
    await asyncio.sleep(0.05)

    with pytest.raises(NotBegun):
        await gate.call(begun.set, line=line, begin_limit=0.1)
    free.set()
    await busy
    await gate.call(lambda: None, line=line)

    assert not begun.is_set()


async def test_a_call_whose_first_look_takes_too_long_never_begins(gate: Gate, line: Line) -> None:
    free, begun = threading.Event(), threading.Event()

    with pytest.raises(NotBegun):
        await gate.call(begun.set, line=line, first=lambda: _until(free), begin_limit=0.1)
    free.set()
    await gate.call(lambda: None, line=line)

    assert not begun.is_set()


async def test_a_closed_line_ends_what_it_has_and_takes_no_more(gate: Gate, line: Line) -> None:
    free = threading.Event()
    calls = [asyncio.ensure_future(gate.call(lambda: free.wait(5), line=line)) for _ in range(2)]
    await asyncio.sleep(0.05)

    line.close()
    with pytest.raises(NotBegun):
        await gate.call(lambda: None, line=line)
    free.set()

    assert await asyncio.gather(*calls) == [True, True]


async def test_a_thread_asks_the_loop_and_hears_its_answer_and_its_error() -> None:
    async def asked(answer: str) -> str:
        if not answer:
            raise LookupError
        return answer

    loop = asyncio.get_running_loop()

    assert await asyncio.to_thread(on_loop, asked("so"), loop) == "so"
    with pytest.raises(LookupError):
        await asyncio.to_thread(on_loop, asked(""), loop)


async def test_a_thread_that_asks_a_loop_which_never_turns_again_is_let_go() -> None:
    async def asked() -> None:
        """Nobody runs this."""

    loop = asyncio.new_event_loop()
    asking = asyncio.ensure_future(asyncio.to_thread(on_loop, asked(), loop))
    await asyncio.sleep(0.1)
    loop.close()

    with pytest.raises(NotBegun):
        await asyncio.wait_for(asking, 10)
    with pytest.raises(NotBegun):
        on_loop(asked(), loop)


def _until(free: threading.Event) -> None:
    free.wait(5)
