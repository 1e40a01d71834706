"""The real daemon with the real client: many companies at once, and a stop amid their traffic."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from tests.conftest import MakeDatabase
from tests.processes import processes_about
from tests.system.street import Street, open_street

pytestmark = [pytest.mark.whatsapp, pytest.mark.timeout(120)]

STOP_SECONDS = 10.0
History = Callable[[], list[dict[str, Any]]]


@dataclass(frozen=True)
class Size:
    """Companies in all, customers of each, and the messages of each customer."""

    companies: int
    customers: int
    messages: int


SIZES = [
    pytest.param(Size(10, 4, 5), id="small"),
    pytest.param(Size(100, 10, 34), id="large", marks=[pytest.mark.slow, pytest.mark.timeout(300)]),
]


@pytest.fixture(scope="module", params=SIZES)
def size(request: pytest.FixtureRequest) -> Size:
    """Small enough for every run, or as large as one process is meant to be."""
    size: Size = request.param
    return size


@pytest.fixture(scope="module")
async def street(
    size: Size,
    make_database: MakeDatabase,
    template: str,
    stores: dict[str, str],
    slot: int,
    module_history: tuple[str, History],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Street]:
    """The companies of all tests here; they write with customers of their own."""
    async with make_database(template) as url:
        urls = {
            "postgres": url,
            "redis": f"unix://{urlsplit(stores['valkey']).path}?db={slot}",
            "mongo": stores["mongod"],
            "mongo_database": module_history[0],
        }
        async with open_street(tmp_path_factory.mktemp("street"), urls, size.companies) as street:
            yield street


async def test_three_companies_at_once_answer_each_customer_as_themselves(
    street: Street, size: Size, module_history: tuple[str, History]
) -> None:
    expected = 3 * size.customers * size.messages
    async with street.daemon(3) as daemon:
        words = {"customers": size.customers, "messages": size.messages, "shared": True}
        found = await street.drive(3, **words)
        assert await daemon.stop() == 0

    assert (found["replies"], found["lost"], found["samples"]) == (expected, 0, [])
    assert await street.unread() == 0
    assert await street.counts("inbox") == {"answered": expected}
    assert await street.counts("outbox") == {"sent": expected}
    ours = [one for one in module_history[1]() if UUID(one["companyId"]) in street.companies]
    assert len(ours) == 3 * size.customers
    for document in ours:
        begins = f"pedido {street.number_of(UUID(document['companyId']))} "
        assert len(document["messages"]) == 2 * size.messages
        assert all(line["content"].startswith(begins) for line in document["messages"])


async def test_a_stop_amid_the_traffic_of_all_companies_and_a_pairing_loses_nothing(
    street: Street, size: Size
) -> None:
    count = size.companies
    before = await street.counts("outbox")
    async with street.daemon(count) as daemon, street.pairing() as pairing:
        driving = asyncio.ensure_future(
            street.drive(count, customers=2, messages=5, reply_seconds=90)
        )
        await street.sent(before.get("sent", 0) + count)
        began = time.monotonic()
        code = await daemon.stop()
        took = time.monotonic() - began
        pairing.send_signal(signal.SIGTERM)
        await asyncio.wait_for(pairing.wait(), STOP_SECONDS)
        unfinished = not driving.done()
    async with street.daemon(count) as again:
        found = await driving
        assert await again.stop() == 0

    assert (code, unfinished) == (0, True)
    assert took < STOP_SECONDS
    assert (found["lost"], found["samples"]) == (0, [])
    assert await street.unread() == 0
    assert set(await street.counts("inbox")) == {"answered"}
    assert set(await street.counts("outbox")) == {"sent"}
    assert processes_about(street.newcomer) == []
