"""When a turn begins, and what a newer message does to an answer in the making."""

import asyncio
from functools import partial

import pytest

from tests.builders import message
from tests.road.conftest import QUICK, Echo, OpenScene, Scene

PATIENT = {**QUICK["conversation"], "quiet_seconds": 4.0, "longest_seconds": 12.0}


async def test_a_question_is_answered_sooner_than_an_unfinished_message(
    open_scene: OpenScene,
) -> None:
    async with open_scene(handlers=[Echo()], conversation=PATIENT) as scene:
        began = asyncio.get_running_loop().time()
        other = "13055550199@s.whatsapp.net"
        await scene.receive(
            message(scene.company, "me interesa el plan y"),
            message(scene.company, "cuánto cuesta?", phone="+13055550199", chat=other),
        )
        said = await scene.arrived(1)
        took = asyncio.get_running_loop().time() - began

    assert said == ["oí: cuánto cuesta?"]
    assert 1.0 <= took < 3.0


async def test_what_comes_after_an_answer_has_left_is_a_question_like_the_first(
    open_scene: OpenScene,
) -> None:
    async with open_scene(handlers=[Echo()], conversation=PATIENT) as scene:
        await scene.receive(message(scene.company, "cuánto cuesta?"))
        await scene.arrived(1)
        began = asyncio.get_running_loop().time()
        await scene.receive(message(scene.company, "hacen envíos?"))
        await scene.arrived(2)
        took = asyncio.get_running_loop().time() - began

    assert took < 3.0


async def test_a_customer_who_is_typing_is_waited_for_where_the_wire_knows(
    open_scene: OpenScene,
) -> None:
    quick = {**PATIENT, "quiet_seconds": 0.2}
    async with open_scene(handlers=[Echo()], conversation=quick) as scene:
        writes = message(scene.company, "me interesa el plan y")
        scene.wire.composing.add(writes.chat)
        await scene.receive(writes)
        await asyncio.sleep(1.0)
        waited = scene.wire.texts()
        scene.wire.composing.clear()
        said = await scene.arrived(1)

    assert waited == []
    assert said == ["oí: me interesa el plan y"]


@pytest.mark.parametrize("ready", [False, True])
async def test_newer_messages_take_an_answer_back_twice_and_then_wait_for_the_next_turn(
    open_scene: OpenScene, ready: bool
) -> None:
    """Either while it is made, or while it waits to leave."""
    echo = Echo(seconds=0.0 if ready else 0.3)
    async with open_scene(handlers=[echo]) as scene:
        scene.wire.connected = not ready
        for number, times in enumerate((1, 2, 3, 3)):
            await scene.receive(message(scene.company, f"m{number}"))
            await scene.until(partial(asked, echo, times))
            if ready:
                await scene.until(partial(one_waits, scene))
        scene.wire.connected = True
        await scene.road.sweeper.sweep(60)
        said = await scene.arrived(2)

    assert said == ["oí: m0\nm1\nm2", "oí: m3"]
    assert [turn.text for turn in echo.asked] == ["m0", "m0\nm1", "m0\nm1\nm2", "m3"]


async def asked(echo: Echo, times: int) -> bool:
    """Whether the handler has been asked so often."""
    return len(echo.asked) >= times


async def one_waits(scene: Scene) -> bool:
    """Whether one reply waits to leave."""
    return (await scene.rows("outbox")).count("ready") == 1
