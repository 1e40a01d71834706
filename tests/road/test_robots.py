"""Two robots that answer each other come to an end."""

import asyncio
from dataclasses import replace
from uuid import UUID

from bot.wire import Outgoing
from tests.builders import make_company, message
from tests.fakes.wire import FakeWire
from tests.road.conftest import OpenScene, Scene

NUMBERS = ("13055550111", "13055550222")


class Facing(FakeWire):
    """A wire whose other end is a robot too: what arrives there is answered there."""

    def __init__(self, company_id: UUID, other: UUID, number: str) -> None:
        super().__init__(company_id)
        self._other, self._number = other, number
        self.scene: Scene | None = None
        self.heard: set[asyncio.Task[None]] = set()

    async def send(self, outgoing: Outgoing) -> str:
        wa_id = await super().send(outgoing)
        heard = message(self._other, outgoing.text, wa_id=f"{self._number}-{wa_id}")
        assert self.scene is not None
        there = replace(heard, phone=f"+{self._number}", chat=f"{self._number}@s.whatsapp.net")
        self.heard.add(asyncio.create_task(self.scene.receive(there)))
        return wa_id


async def test_two_robots_that_face_each_other_stop_within_six_turns(
    open_scene: OpenScene, database: str
) -> None:
    companies = [await make_company(database) for _ in NUMBERS]
    wires = [
        Facing(mine, other, number)
        for mine, other, number in zip(companies, reversed(companies), NUMBERS, strict=True)
    ]
    off = {"messages_per_minute": 0}
    async with open_scene(company=companies[0], wire=wires[0], limits=off) as scene:
        for wire in wires:
            wire.scene = scene
        fence = await scene.road.ledger.lease(companies[1], scene.road.host.id)
        await scene.road.delivery.attach(wires[1], fence or 0)
        await scene.receive(
            message(companies[0], "hola", phone="+13055550222", chat="13055550222@s.whatsapp.net")
        )

        async def called() -> bool:
            return "another_robot" in await scene.rows("agent_logs", "event_data ->> 'reason'")

        await scene.until(called)
        await asyncio.sleep(1.0)
        replies = [len(wire.arrived) for wire in wires]
        silent = await scene.rows("inbox", "reason")

        await scene.look.execute("UPDATE customers SET paused_until = now()")
        for _ in range(6):
            await scene.road.sweeper.sweep(0)
        await asyncio.sleep(0.5)
        assert [len(wire.arrived) for wire in wires] == replies

    assert max(replies) <= 6
    assert "paused: handover" in silent
