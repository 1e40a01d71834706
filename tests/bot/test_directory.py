"""Where the states of sessions become visible, and who may speak for a company."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from bot.directory import LeaseDesk, PublicStates
from bot.metrics import Metrics
from bot.redis_store import RedisStore
from bot.session_keys import WhatsAppState, WhatsAppStates
from bot.whatsapp.states import Reason, State
from models.database import connect
from models.desk import Desk
from models.ledger import Ledger
from tests.builders import admin, make_company

ONLINE = State(Reason.ONLINE)


@dataclass
class Machine:
    """One host: its ledger, its states and its metrics."""

    host: UUID
    ledger: Ledger
    desk: Desk
    states: PublicStates
    metrics: Metrics
    connected: list[UUID]

    def counted(self) -> str:
        """The metric's lines that are not zero."""
        lines = self.metrics.render().decode().splitlines()
        found = [line for line in lines if line.startswith("lyrox_sessions{")]
        return "".join(line for line in found if not line.endswith(" 0.0"))


@pytest.fixture
async def machines(database: str, redis: RedisStore) -> AsyncIterator[tuple[Machine, Machine]]:
    """Two living hosts on the same stores."""
    async with connect(database, connections=4) as opened:
        ledger, desk = Ledger(opened.call), Desk(opened.call, opened.rows)

        async def machine(shard: int) -> Machine:
            host, metrics, connected = uuid4(), Metrics(), list[UUID]()
            await desk.beat(host, name="host", shard=shard, role="daemon")
            states = PublicStates(
                desk, WhatsAppStates(redis), metrics, host=host, on_connected=connected.append
            )
            return Machine(host, ledger, desk, states, metrics, connected)

        yield await machine(0), await machine(1)


@pytest.fixture
async def company(database: str) -> UUID:
    return await make_company(database)


@pytest.fixture
async def look(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await admin(database)
    yield connection
    await connection.close()


@pytest.mark.parametrize(
    ("reason", "heard"),
    [(Reason.ONLINE, True), (Reason.CONNECTING, False), (Reason.STOPPED, False)],
)
async def test_what_is_ready_is_sent_as_soon_as_a_company_is_connected(
    machines: tuple[Machine, Machine], company: UUID, reason: Reason, heard: bool
) -> None:
    machine, _ = machines

    await machine.states.record_state(company, State(reason), None)

    assert machine.connected == ([company] if heard else [])


async def test_a_former_holder_neither_writes_nor_rewrites_nor_counts(
    machines: tuple[Machine, Machine],
    company: UUID,
    redis: RedisStore,
    look: asyncpg.Connection,
) -> None:
    former, present = machines
    await former.ledger.lease(company, former.host)
    await former.states.record_state(company, ONLINE, None)
    await former.ledger.release(company, former.host, 1)
    await present.ledger.lease(company, present.host)
    await present.states.record_state(company, ONLINE, None)

    await former.states.record_state(company, State(Reason.RECONNECTING), None)

    assert await WhatsAppStates(redis).get(company) is WhatsAppState.CONNECTED
    assert await look.fetchval("SELECT whatsapp_connected FROM companies")
    assert (former.counted(), 'state="online"' in present.counted()) == ("", True)


async def test_a_host_looks_once_for_all_its_companies_whether_they_are_still_its_own(
    machines: tuple[Machine, Machine], database: str
) -> None:
    mine, others = machines
    kept, lost, renewed = [await make_company(database) for _ in range(3)]
    fences = {one: await mine.ledger.lease(one, mine.host) or 0 for one in (kept, lost, renewed)}
    for one, now_at in ((lost, others), (renewed, mine)):
        await mine.ledger.release(one, mine.host, fences[one])
        await now_at.ledger.lease(one, now_at.host)
    looks = []

    class Counting(Desk):
        async def held(self, host: UUID) -> dict[UUID, int]:
            looks.append(host)
            return await mine.desk.held(host)

    leases = LeaseDesk(mine.ledger, Counting(mine.desk._call, mine.desk._rows), mine.host)
    asked = [*fences.items(), (kept, fences[kept] + 1)]
    answers = await asyncio.gather(*(leases.holds(*one) for one in asked))

    assert answers == [True, False, False, False]
    assert looks == [mine.host]


async def test_a_holder_that_lost_its_company_unawares_does_not_show_it_again(
    machines: tuple[Machine, Machine], company: UUID, redis: RedisStore
) -> None:
    former, present = machines
    await former.ledger.lease(company, former.host)
    await former.states.record_state(company, ONLINE, None)
    await former.ledger.release(company, former.host, 1)
    await present.ledger.lease(company, present.host)
    await present.states.record_state(company, State(Reason.LOGGED_OUT), None)

    await former.states.rewrite()

    assert await WhatsAppStates(redis).get(company) is WhatsAppState.DISCONNECTED
    assert former.counted() == ""


async def test_after_a_flush_the_holder_shows_the_state_again(
    machines: tuple[Machine, Machine], company: UUID, redis: RedisStore
) -> None:
    machine, _ = machines
    await machine.ledger.lease(company, machine.host)
    await machine.states.record_state(company, ONLINE, None)
    await redis.delete(f"whatsapp_state:{company}")

    await machine.states.rewrite()

    assert await WhatsAppStates(redis).get(company) is WhatsAppState.CONNECTED


async def test_what_is_forgotten_is_not_counted(
    machines: tuple[Machine, Machine], company: UUID
) -> None:
    machine, _ = machines
    await machine.states.record_state(company, ONLINE, None)
    assert 'state="online"' in machine.counted()

    machine.states.forget(company)

    assert machine.counted() == ""


async def test_what_a_state_is_about_is_kept_for_whoever_speaks_of_it(
    machines: tuple[Machine, Machine], company: UUID, look: asyncpg.Connection
) -> None:
    machine, _ = machines
    until = datetime(2026, 3, 2, tzinfo=UTC)

    await machine.states.record_state(company, State(Reason.BANNED_UNTIL, "spam", until), None)

    kept = json.loads(await look.fetchval("SELECT whatsapp_session_data::text FROM companies"))
    assert kept == {"reason": "banned_until", "detail": "spam", "until": until.isoformat()}
