"""Turns that other processes may run."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import pytest

from models.errors import RetryLater
from tests.builders import message
from tests.road.conftest import Echo, OpenScene

Rung = tuple[object, str]


class Doorbell:
    """Takes note of who is rung for; *away*: it cannot be reached."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.rung: list[Rung] = []

    async def ring(self, chat: object, newest: str) -> None:
        if self.away:
            raise RetryLater("Redis is away")
        self.rung.append((chat, newest))


async def test_a_turn_is_left_to_whoever_hears_the_ring(open_scene: OpenScene) -> None:
    bell, sent = Doorbell(), None
    async with open_scene(handlers=[Echo()], ring=bell.ring) as scene:
        sent = message(scene.company)
        await scene.receive(sent)
        await asyncio.sleep(0.2)

        assert [newest for _, newest in bell.rung] == [sent.wa_id]
        assert await scene.rows("turns") == []


@pytest.mark.parametrize(
    ("bell", "heard"),
    [(Doorbell(), lambda: False), (Doorbell(away=True), lambda: True)],
    ids=["nobody hears", "Redis is away"],
)
async def test_where_nobody_can_be_rung_for_the_turn_runs_here(
    open_scene: OpenScene, bell: Doorbell, heard: Callable[[], bool]
) -> None:
    async with open_scene(handlers=[Echo()], ring=bell.ring, heard=heard) as scene:
        await scene.receive(message(scene.company, "hola"))

        assert await scene.arrived(1) == ["oí: hola"]
    assert bell.rung == []


async def test_a_turn_of_the_dead_is_rung_for(open_scene: OpenScene) -> None:
    bell, dead = Doorbell(), UUID(int=7)
    async with open_scene(handlers=[Echo()], ring=bell.ring) as scene:
        sent = message(scene.company)
        kept = await scene.road.ledger.accept(sent, reason=None, pause_seconds=0)
        await scene.road.ledger.claim(scene.company, kept.customer.id, dead)
        await scene.road.sweeper.sweep(0)
        before = list(bell.rung)
        await scene.road.desk.bury([dead])

        await scene.road.sweeper.sweep(0)
        await asyncio.sleep(0.1)

    assert before == []
    assert bell.rung == [((scene.company, kept.customer.id), sent.wa_id)]
