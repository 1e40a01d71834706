"""People who write in bursts get one reply to each, sooner than by a fixed window."""

import asyncio
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import pytest

from tests.builders import make_company, message
from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.wire import FakeWire
from tests.faults.bursts import Burst, bursts
from tests.road.conftest import OpenScene, Scene, look, open_scene, store_urls

__all__ = ["look", "open_scene", "store_urls"]

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

COUNT, SEED = 60, 6
MODEL_SECONDS = 2.0
FIXED: dict[str, float] = {"quiet_seconds": 6.0, "complete_seconds": 6.0}


@dataclass(frozen=True, slots=True)
class Answered:
    """How many replies a burst got, and how long its last message waited for the last of them."""

    replies: int
    seconds: float


async def test_a_burst_gets_one_reply_and_sooner_than_by_a_fixed_window(
    open_scene: OpenScene,
) -> None:
    patterns = bursts(COUNT, SEED)
    async with FakeOpenAI(seconds=MODEL_SECONDS) as model:
        ours = await answered(open_scene, patterns, model, {})
        asked = len(model.requests)
        fixed = await answered(open_scene, patterns, model, FIXED)

    print(table({"as configured": ours, "fixed window of 6 s": fixed}))
    print(f"the model was asked {asked / COUNT:.2f} times a burst")
    assert sum(one.replies == 1 for one in ours) >= 0.95 * COUNT
    assert median(ours) < median(fixed)


async def answered(
    open_scene: OpenScene,
    patterns: Sequence[Burst],
    model: FakeOpenAI,
    conversation: Mapping[str, float],
) -> list[Answered]:
    """All patterns at the same time, each to a company of its own, by default settings."""
    target = {"name": "fake", "model": "m", "base_url": model.url, "api_key": ""}
    llm = {"targets": [target]}
    async with open_scene(conversation=dict(conversation), llm=llm) as scene:
        companies = [await opened(scene) for _ in patterns]
        sweeping = asyncio.ensure_future(scene.road.sweeper.run())
        pairs = zip(companies, patterns, strict=True)
        await asyncio.gather(*(write(scene, *pair) for pair in pairs))
        await scene.until(partial(nothing_waits, scene), seconds=60)
        sweeping.cancel()
        rows = await scene.look.fetch(FOUND, companies)
    return [Answered(row["replies"], float(row["seconds"])) for row in rows]


async def opened(scene: Scene) -> UUID:
    """A company with a way out."""
    company = await make_company(scene.stores.urls.postgres)
    fence = await scene.road.ledger.lease(company, scene.road.host.id)
    await scene.road.delivery.attach(FakeWire(company), fence or 0)
    return company


async def write(scene: Scene, company: UUID, pattern: Burst) -> None:
    """One customer's burst."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    for gap, text in zip((0.0, *pattern.gaps), pattern.texts, strict=True):
        due += gap
        await asyncio.sleep(due - loop.time())
        await scene.receive(message(company, text))


OPEN = """
    SELECT EXISTS (SELECT 1 FROM inbox WHERE state <> 'answered')
        OR EXISTS (SELECT 1 FROM outbox WHERE state IN ('ready', 'sending'))
"""
FOUND = """
    SELECT count(DISTINCT o.turn_id) AS replies,
           extract(epoch FROM max(o.sent_at) - (SELECT max(i.received_at) FROM inbox i
             WHERE i.company_id = o.company_id)) AS seconds
      FROM outbox o WHERE o.company_id = ANY ($1) AND o.state = 'sent' GROUP BY o.company_id
"""


async def nothing_waits(scene: Scene) -> bool:
    """Whether all is answered."""
    await asyncio.sleep(0.2)
    return not await scene.look.fetchval(OPEN)


def median(all_of: Sequence[Answered]) -> float:
    """Of the waits."""
    return statistics.median(one.seconds for one in all_of)


def table(measured: Mapping[str, Sequence[Answered]]) -> str:
    """As it stands in docs/reliability.md."""
    lines = [
        "| window | bursts | one reply | median wait, s | longest wait, s |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, found in measured.items():
        one = sum(each.replies == 1 for each in found)
        longest = max(each.seconds for each in found)
        share = f"{100 * one / len(found):.0f} %"
        lines.append(f"| {name} | {len(found)} | {share} | {median(found):.1f} | {longest:.1f} |")
    return "\n".join(lines)
