"""Ten thousand messages that wait after a time away take no more memory than a thousand."""

import asyncio
import logging
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from bot.wire import Outgoing
from tests.builders import make_company
from tests.fakes.wire import FakeWire
from tests.road.conftest import Echo, OpenScene, Scene, look, open_scene, store_urls

__all__ = ["look", "open_scene", "store_urls"]

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

COMPANIES = 20
GROWTH_MB = 20.0
"""What the tenfold may take more: what is bounded is full by then. 3,600 held replies took 28."""

CUSTOMERS = """
    INSERT INTO customers (company_id, phone)
    SELECT $1, '+1305' || to_char($2::int + n, 'FM0000000') FROM generate_series(1, $3::int) n
"""
MESSAGES = """
    INSERT INTO inbox (company_id, customer_id, wa_id, channel, sender, chat, kind, content,
                       sent_at, received_at, state)
    SELECT company_id, id, 'wa-' || id, 'whatsapp', 'customer', phone, 'text', repeat('hola ', 40),
           now() - interval '1 hour', now() - interval '1 hour', 'pending'
      FROM customers c WHERE company_id = $1
       AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.customer_id = c.id)
"""


class Forgetful(FakeWire):
    """A wire whose phones keep nothing, so that only our own memory counts."""

    async def send(self, outgoing: Outgoing) -> str:
        wa_id = await super().send(outgoing)
        for kept in (self.arrived, self.quoted, self.hashed, self._written, self._ratchets):
            kept.clear()
        for seen in (self.read, self.typed, self.hidden):
            seen.clear()
        return f"{wa_id}-{outgoing.secret.hex()}"


async def test_ten_times_as_many_waiting_messages_take_no_more_memory(
    open_scene: OpenScene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)  # What is logged would be kept, and counted as ours.
    handler = Echo()
    async with open_scene(handlers=[handler], attach=False) as scene:
        companies = [await opened(scene) for _ in range(COMPANIES)]
        sweeping = asyncio.ensure_future(scene.road.sweeper.run())
        await drained(scene, handler, companies, first=0, each=25)  # What the process takes anyway.
        thousand = await drained(scene, handler, companies, first=1000, each=50)
        ten_thousand = await drained(scene, handler, companies, first=10_000, each=500)
        sweeping.cancel()
        answered = await scene.look.fetchval("SELECT count(*) FROM outbox WHERE state = 'sent'")

    print(f"peak: {thousand:.1f} MB with 1,000 waiting, {ten_thousand:.1f} MB with 10,000")
    assert answered == COMPANIES * 575
    assert ten_thousand - thousand < GROWTH_MB


async def opened(scene: Scene) -> UUID:
    """A company with a way out that is away."""
    company = await make_company(scene.stores.urls.postgres)
    fence = await scene.road.ledger.lease(company, scene.road.host.id)
    await scene.road.delivery.attach(Forgetful(company), fence or 0)
    return company


async def drained(
    scene: Scene, handler: Echo, companies: list[UUID], *, first: int, each: int
) -> float:
    """Let *each* customers of each company wait, answer them; the most memory meanwhile, in MB."""
    for company in companies:
        await scene.look.execute(CUSTOMERS, company, first, each)
        await scene.look.execute(MESSAGES, company)
    most: list[float] = []
    await scene.until(partial(all_answered, scene, handler, most), seconds=900)
    return max(most)


async def all_answered(scene: Scene, handler: Echo, most: list[float]) -> bool:
    """Whether nothing waits any more; a look at the memory beside it."""
    await asyncio.sleep(0.2)
    handler.asked.clear()
    scene.database.called.clear()
    most.append(resident_mb())
    return not await scene.look.fetchval(
        "SELECT EXISTS (SELECT 1 FROM inbox WHERE state <> 'answered')"
        " OR EXISTS (SELECT 1 FROM outbox WHERE state IN ('ready', 'sending'))"
    )


def resident_mb() -> float:
    """What this process has in memory."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
