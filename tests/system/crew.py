"""Several daemons on one state directory, for the tests of who holds what."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from tests.system import gates
from tests.system.conftest import Scene
from tests.system.process import Said
from tests.system.warm import Child


@dataclass
class Crew:
    """Some companies, and the daemons that run for them."""

    scene: Scene
    companies: list[UUID]
    shards: dict[int, Child]

    async def start(self, shard: int) -> None:
        """One daemon more, ready."""
        scene = self.scene
        daemon = await scene.nursery.start(
            scene.home, scene.phones.folder, "--shard", shard, run="daemon"
        )
        await daemon.until("ready")
        self.shards[shard] = daemon

    def held_by(self, shard: int) -> bool:
        """Whether that daemon is connected for all companies."""
        return all(self.holder(company) == shard for company in self.companies)

    def holder(self, company: UUID) -> int | None:
        """The shard that is connected for a company."""
        pid = self.scene.phones.holder(company)
        return next((shard for shard, daemon in self.shards.items() if daemon.pid == pid), None)

    async def until(self, claim: Callable[[], bool], seconds: float = 50) -> float:
        """How many seconds it took until *claim* held."""

        async def holds() -> bool:
            return claim()

        began = time.monotonic()
        await self.scene.until(holds, seconds)
        return time.monotonic() - began

    async def answered(self, phone: str) -> None:
        """Wait for the customer's answer, which must be the only one."""
        await self.scene.until(lambda: self.scene.closed(phone), seconds=40)
        assert len(self.scene.phones.arrived(phone)) == 1

    async def status(self, *words: str) -> Said:
        """What ``lyrox status`` says."""
        return await self.scene.nursery.lyrox(self.scene.home, "status", *words)

    async def is_ready(self) -> bool:
        """Whether ``lyrox status`` ends with 0."""
        return (await self.status()).code == 0

    async def fences(self) -> dict[UUID, int]:
        """How often each company has changed hands."""
        rows = await self.scene.look.fetch("SELECT company_id, fence FROM session_leases")
        return {row["company_id"]: row["fence"] for row in rows}

    async def end(self) -> None:
        """As if the machine had been switched off long ago."""
        for daemon in self.shards.values():
            await daemon.send(signal.SIGKILL)
        await gates.alone(self.scene.look)
        await self.scene.look.execute("UPDATE session_leases SET host_id = NULL")
        await self.scene.look.execute("DELETE FROM hosts")


async def ill_treat(crew: Crew, dice: random.Random) -> None:
    """Ill-treat one daemon, and have it run again afterwards."""
    shard = dice.choice(list(crew.shards))
    pid = crew.shards[shard].pid
    deed = dice.choice(["kill", "stop", "freeze"])
    if deed == "freeze":
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(dice.uniform(3, 8))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        return
    await crew.shards[shard].send(signal.SIGKILL if deed == "kill" else signal.SIGTERM)
    await asyncio.sleep(dice.uniform(0, 8))
    await crew.start(shard)
