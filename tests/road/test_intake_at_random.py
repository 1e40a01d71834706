"""Whatever comes, in whatever rhythm and however often: each message is answered once, in order."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.values import InboundMessage
from tests.builders import message
from tests.road.conftest import Echo, OpenScene, Scene

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("new"), st.integers(0, 2), st.sampled_from([0.0, 0.0, 0.01, 0.05])),
        st.tuples(st.just("new"), st.integers(0, 2), st.sampled_from([0.0, 0.0, 0.01, 0.05])),
        st.tuples(st.just("again"), st.integers(0, 9), st.sampled_from([0.0, 0.01])),
    ),
    min_size=1,
    max_size=15,
)
RELAXED = settings(deadline=None, suppress_health_check=list(HealthCheck))
_people = itertools.count(1)


@pytest.fixture
async def scene(open_scene: OpenScene) -> AsyncIterator[Scene]:
    """One road for all examples; each has people of its own."""
    limits = {"messages_per_minute": 0}
    async with open_scene(handlers=[Echo(seconds=0.02)], limits=limits) as scene:
        yield scene


async def everybody_is_answered_once(scene: Scene, steps: list[tuple[str, int, float]]) -> None:
    """Play the steps; what each person can read holds all they wrote, once and in order."""
    chats = [f"1305{next(_people):07}@s.whatsapp.net" for _ in range(3)]
    arrived: list[InboundMessage] = []
    for name, number, pause in steps:
        if name == "new":
            chat = chats[number]
            one = message(scene.company, f"«{len(arrived)}»", chat=chat, phone=f"+{chat[:11]}")
            arrived.append(one)
            await scene.receive(one)
        elif arrived:
            await scene.receive(arrived[number % len(arrived)])
        await asyncio.sleep(pause)
    expected = {chat: [one.text for one in arrived if one.chat == chat] for chat in chats}

    async def all_said() -> bool:
        return read(scene, chats) == expected

    await scene.until(all_said)
    await asyncio.sleep(0.05)
    assert read(scene, chats) == expected


def read(scene: Scene, chats: list[str]) -> dict[str, list[str]]:
    """What the replies in each chat answer, in their order."""
    return {
        chat: [
            asked
            for one in scene.wire.arrived
            if one.chat == chat
            for asked in one.text.removeprefix("oí: ").split("\n")
        ]
        for chat in chats
    }


@settings(RELAXED, max_examples=8)
@given(steps=STEPS)
async def test_everybody_is_answered_once_and_in_order(scene: Scene, steps: list[Any]) -> None:
    await everybody_is_answered_once(scene, steps)


@pytest.mark.faults
@pytest.mark.timeout(900)
@settings(RELAXED, max_examples=300)
@given(steps=STEPS)
async def test_everybody_is_answered_once_in_many_more_rhythms(
    scene: Scene, steps: list[Any]
) -> None:
    await everybody_is_answered_once(scene, steps)
