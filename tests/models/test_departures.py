"""What has left and what leaves next share a way where they fall into one moment."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.database import Database, connect
from models.errors import RetryLater
from models.ledger import Ledger
from models.ledger_rows import Part
from models.values import Channel
from tests.builders import make_company, message, reply

HOST = uuid4()
SECRET = b"s" * 32
CONNECTIONS = 2  # For calls; the models have as many.


class Shop:
    """The ledger on a database, and which functions were called."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.ledger = Ledger(self.call)
        self.called: list[str] = []
        self.away = False
        self.slow: dict[str, asyncio.Event] = {}

    async def call(self, function: str, *arguments: object, **options: Any) -> Mapping[str, Any]:
        self.called.append(function)
        if wait := self.slow.get(function):
            await wait.wait()
        if self.away:
            raise RetryLater("PostgreSQL is away")
        row: Mapping[str, Any] = await self._db.call(function, *arguments, **options)
        return row

    async def ready(self, company: UUID, *phones: str) -> list[Part]:
        """A part that may leave for each of these customers."""
        for phone in phones:
            sent = message(company, phone=phone, chat=phone, channel=Channel.TERMINAL)
            kept = await self.ledger.accept(sent, reason=None, pause_seconds=60)
            claim = await self.ledger.claim(company, kept.customer.id, HOST)
            assert claim.turn is not None
            await self.ledger.answer(claim.turn, reply(phone), host=HOST, details={})
        parts = await self.ledger.ready(company, Channel.TERMINAL, None)
        self.called.clear()
        return parts

    async def begin(self, part: Part, **options: Any) -> str:
        return await self.ledger.sending(
            part, host=HOST, fence=0, secret=SECRET, sessions_hash=None, **options
        )

    async def sent(self, part: Part, *, look_follows: bool = True) -> bool:
        return await self.ledger.sent(
            part.company_id, part.id, f"wa-{part.id}", confirmed=True, look_follows=look_follows
        )


@pytest.fixture
async def shop(database: str) -> AsyncIterator[Shop]:
    async with connect(database, connections=2 + CONNECTIONS) as db:
        yield Shop(db)


async def test_what_has_left_and_what_leaves_next_are_one_call_with_an_answer_each(
    shop: Shop, database: str
) -> None:
    company = await make_company(database)
    first, second = await shop.ready(company, "+13055550101", "+13055550102")
    await shop.begin(first)
    await shop.ledger.accept(
        message(company, wa_id="more", phone="+13055550101"), reason=None, pause_seconds=60
    )
    shop.called.clear()

    told = [*await asyncio.gather(shop.sent(first), shop.begin(second))]

    assert told == [True, "go"]
    assert shop.called == ["road_sent_and_sending"]
    again = [*await asyncio.gather(shop.sent(first), shop.begin(second))]
    assert again == [False, "gone"]  # Both were done, and are done once.


async def test_each_mark_shares_its_way_with_one_look_of_its_own_company(
    shop: Shop, database: str
) -> None:
    here, there = await make_company(database), await make_company(database)
    one, two, three = await shop.ready(here, "+13055550101", "+13055550102", "+13055550103")
    (other,) = await shop.ready(there, "+13055550101")
    await asyncio.gather(shop.begin(one), shop.begin(two))
    shop.called.clear()

    steps = shop.sent(one), shop.begin(other), shop.sent(two), shop.begin(three)
    told = [*await asyncio.gather(*steps)]

    assert told == [False, "go", False, "go"]
    assert sorted(shop.called) == ["road_sending", "road_sent", "road_sent_and_sending"]


async def test_where_the_way_fails_both_are_told(shop: Shop, database: str) -> None:
    company = await make_company(database)
    first, second = await shop.ready(company, "+13055550101", "+13055550102")
    await shop.begin(first)
    shop.away = True

    told = await asyncio.gather(shop.sent(first), shop.begin(second), return_exceptions=True)

    assert [type(answer) for answer in told] == [RetryLater, RetryLater]


async def test_a_mark_that_no_look_follows_goes_alone(shop: Shop, database: str) -> None:
    company = await make_company(database)
    first, second, third = await shop.ready(company, *(f"+1305555010{n}" for n in range(3)))
    await asyncio.gather(shop.begin(first), shop.begin(second))
    shop.called.clear()

    assert await shop.sent(first) is False
    assert await asyncio.gather(shop.sent(second, look_follows=False), shop.begin(third))
    assert shop.called == ["road_sent", "road_sent", "road_sending"]


async def test_nobody_waits_for_a_way_of_another_step(shop: Shop, database: str) -> None:
    here, there = await make_company(database), await make_company(database)
    (first,) = await shop.ready(here, "+13055550101")
    (other,) = await shop.ready(there, "+13055550101")
    await shop.begin(first)
    shop.slow["road_sent"] = asyncio.Event()

    marking = asyncio.ensure_future(shop.sent(first))
    async with asyncio.timeout(5):
        assert await shop.begin(other) == "go"
    assert not marking.done()
    shop.slow["road_sent"].set()
    assert await marking is False


@pytest.mark.parametrize("with_a_mark", [False, True])
async def test_a_look_is_asked_when_a_connection_is_free(
    shop: Shop, database: str, *, with_a_mark: bool
) -> None:
    company = await make_company(database)
    first, second = await shop.ready(company, "+13055550101", "+13055550102")
    await shop.begin(first)
    told: list[str] = []

    async def busy() -> None:
        await shop.call("pg_sleep", 0.3)
        told.append("free")

    waiting = [asyncio.create_task(busy()) for _ in range(CONNECTIONS)]
    await asyncio.sleep(0.1)
    mark = [shop.sent(first)] if with_a_mark else []
    looking = shop.begin(second, asked=lambda: told.append("asked"))
    answers = await asyncio.gather(*mark, looking)
    told.append("answered")
    await asyncio.gather(*waiting)

    assert answers[-1] == "go"
    assert told[0] == "free"
    assert told.count("asked") == 1
    assert told.index("asked") < told.index("answered")


async def test_who_stops_waiting_stops_nobody_else(shop: Shop, database: str) -> None:
    company = await make_company(database)
    first, second = await shop.ready(company, "+13055550101", "+13055550102")
    await shop.begin(first)
    shop.slow["road_sent_and_sending"] = asyncio.Event()

    marking = asyncio.ensure_future(shop.sent(first))
    looking = asyncio.ensure_future(shop.begin(second))
    while "road_sent_and_sending" not in shop.called:  # noqa: ASYNC110 - It has no other word.
        await asyncio.sleep(0)
    marking.cancel()
    shop.slow["road_sent_and_sending"].set()

    assert await looking == "go"
