"""What ``/metrics`` says of a running daemon when something is amiss."""

from collections.abc import Awaitable, Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.openai_server import fails
from tests.system.conftest import Scene


async def value(scene: Scene, name: str, **labels: str) -> float:
    """One number of the page."""
    status, page = await scene.home.get("/metrics")
    assert status == 200
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return 0.0


def at_least(scene: Scene, least: float, name: str, **labels: str) -> Callable[[], Awaitable[bool]]:
    """A claim to be waited for."""

    async def claim() -> bool:
        return await value(scene, name, **labels) >= least

    return claim


@pytest.fixture
async def ready(scene: Scene) -> Scene:
    await scene.start()
    for valve in (scene.valves.postgres, scene.valves.redis, scene.valves.mongo):
        await valve.open()
    await scene.until(at_least(scene, 1, "lyrox_sessions", state="online"))
    return scene


async def test_what_waits_on_the_disk_for_postgresql_is_counted_until_it_is_stored(
    ready: Scene,
) -> None:
    phone = ready.customer()
    assert await value(ready, "lyrox_journal_entries") == 0

    await ready.valves.postgres.cut()
    ready.write(phone)
    await ready.until(at_least(ready, 1, "lyrox_journal_entries"))
    await ready.valves.postgres.open()

    await ready.until(lambda: ready.closed(phone), seconds=30)
    assert await value(ready, "lyrox_journal_entries") == 0


@pytest.mark.parametrize("store", ["postgres", "redis", "mongo"])
async def test_calls_to_a_store_that_is_away_are_counted(ready: Scene, store: str) -> None:
    phone, valve = ready.customer(), getattr(ready.valves, store)
    before = await value(ready, "lyrox_store_failures_total", store=store)

    await valve.cut()
    ready.write(phone)
    await ready.until(at_least(ready, before + 1, "lyrox_store_failures_total", store=store))
    await valve.open()

    await ready.until(lambda: ready.closed(phone), seconds=30)


async def test_a_language_model_that_rests_after_faults_is_shown(ready: Scene) -> None:
    customers = [ready.customer() for _ in range(5)]
    assert await value(ready, "lyrox_llm_breaker_open", target="fake") == 0

    ready.llm.always(fails(401))
    for phone in customers:
        ready.write(phone)

    await ready.until(at_least(ready, 1, "lyrox_llm_breaker_open", target="fake"))
