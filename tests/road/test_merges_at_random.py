"""Whatever two people do, by number, LID or both, and whenever it breaks: each ends as one."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.background import Background
from bot.context_cache import ContextCache, Miss
from bot.memory import Memory
from bot.merges import Merges
from bot.recall import Recall
from bot.redis_store import RedisStore, open_redis
from models.conversations import Conversations, open_conversations
from models.customer_merges import MergeDesk
from models.database import Database, connect
from models.desk import Desk
from models.ledger import Ledger
from models.values import Channel, InboundMessage, Line, Sender, Turn
from tests.builders import admin, make_company, message, reply
from tests.contracts.conversation_parts import Killed, breaking

PHONES, LIDS = ("+13055550101", "+13055550102"), ("71", "72")
WAYS = ("number", "lid", "both")

who, way = st.integers(0, 1), st.sampled_from(WAYS)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), who, way),
        st.tuples(st.just("arrive"), who, way),
        st.tuples(st.just("arrive_again"), who, way),
        st.tuples(st.just("arrive_and_die"), who, way),
        st.tuples(st.just("claim"), st.integers(0, 9)),
        st.tuples(st.just("claim"), st.integers(0, 9)),
        st.tuples(st.just("answer"), st.integers(0, 9)),
        st.tuples(st.just("answer"), st.integers(0, 9)),
        st.tuples(st.just("deliver"), st.integers(0, 9)),
        st.tuples(st.just("die_while_sending"), st.integers(0, 9)),
        st.tuples(st.just("sell"), st.integers(0, 9)),
        st.tuples(st.just("write")),
        st.tuples(st.just("sweep")),
        st.tuples(st.just("unite")),
        st.tuples(st.just("die_while_uniting"), st.integers(0, 8)),
        st.tuples(st.just("die")),
    ),
    min_size=8,
    max_size=45,
)


@pytest.fixture(scope="module")
async def stage(
    make_database: Any, template: str, stores: dict[str, str], slot: int, mongo_client: Any
) -> AsyncIterator[tuple[str, Database, Conversations, RedisStore, asyncpg.Connection, Any]]:
    """Stores for all examples; each has a company of its own."""
    name = f"random_{slot}"
    redis = f"unix://{stores['valkey'].removeprefix('unix://').partition('?')[0]}?db={slot}"
    async with (
        make_database(template) as url,
        connect(url, connections=4) as db,
        open_conversations(stores["mongod"], name) as conversations,
        open_redis(redis) as store,
    ):
        look = await admin(url)
        yield url, db, conversations, store, look, mongo_client[name].conversations
        await look.close()
    mongo_client.drop_database(name)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
@pytest.mark.timeout(300)
async def test_nothing_is_lost_nothing_doubled_and_each_person_is_one(
    stage: Any, steps: list[tuple[Any, ...]]
) -> None:
    world = World(await make_company(stage[0]), *stage[1:])
    await world.live()

    for name, *args in steps:
        await getattr(world, name)(*args)
    await world.finish()

    await world.check()


def addresses(person: int, way: str) -> dict[str, Any]:
    """What a message shows of a person's two addresses."""
    phone, lid = PHONES[person], LIDS[person]
    shown: dict[str, dict[str, Any]] = {
        "number": {"phone": phone, "lid": None, "chat": f"n{person}"},
        "lid": {"phone": f"lid:{lid}", "lid": lid, "chat": f"l{person}"},
        "both": {"phone": phone, "lid": lid, "chat": f"l{person}"},
    }
    return shown[way]


class World:
    """A company whose host dies now and then, and two people who write to it."""

    def __init__(
        self,
        company: UUID,
        db: Database,
        conversations: Conversations,
        redis: RedisStore,
        look: asyncpg.Connection,
        documents: Any,
    ) -> None:
        self.company = company
        self.ledger = Ledger(db.call)
        self.desk = Desk(db.call, db.rows)
        self.merge_desk = MergeDesk(db.call, db.rows)
        self.conversations = conversations
        self.redis = redis
        self.look = look
        self.documents = documents
        self.sent: list[tuple[int, InboundMessage]] = []
        self.ids: list[UUID] = []
        """Every id that any customer ever had."""
        self.held: list[Turn] = []
        self.said: Counter[str] = Counter()
        self.sold = 0
        self.twice: set[str] = set()
        self.notes = Background(drain_seconds=0)

    async def live(self) -> None:
        """A new process: nothing is in its memory."""
        await self.notes.__aexit__(None, None, None)
        self.host = uuid4()
        self.notes = Background(drain_seconds=0)
        self.cache = ContextCache(self.redis)
        self.memory = Memory(self.conversations, self.cache, self.desk, self.notes)
        self.recall = Recall(self.cache, self.conversations, self.ledger)
        self.fence = await self.ledger.lease(self.company, self.host)
        for row in await self.ledger.unsettled(
            self.company, Channel.WHATSAPP, None, self.fence or 0
        ):
            await self.ledger.sent(self.company, row["id"], f"S{row['id']}", confirmed=False)

    async def die(self) -> None:
        self.held.clear()
        await self.desk.bury([self.host])
        await self.live()

    async def arrive(self, person: int, way: str) -> None:
        number = len(self.sent)
        known = addresses(person, way)
        sent = message(self.company, f"m{number}.", wa_id=f"M{number}", **known)
        self.sent.append((person, sent))
        await self._accept(sent)

    async def arrive_again(self, person: int, way: str) -> None:
        """The last message once more, perhaps showing other addresses."""
        of = [sent for owner, sent in self.sent if owner == person]
        if of:
            await self._accept(replace(of[-1], **addresses(person, way)))

    async def arrive_and_die(self, person: int, way: str) -> None:
        """Killed after the ledger had it: the journal brings it again."""
        await self.arrive(person, way)
        await self.die()
        await self._accept(self.sent[-1][1])

    async def claim(self, number: int) -> None:
        """A turn for any id that somebody ever had."""
        if not self.ids:
            return
        chat = (self.company, self.ids[number % len(self.ids)])
        claim = await self.ledger.claim(*chat, self.host)
        if claim.turn is not None:
            await self.recall.lines(chat)
            self.held.append(claim.turn)

    async def answer(self, number: int) -> None:
        if self.held:
            turn = self.held.pop(number % len(self.held))
            said = reply("|".join(line.id for line in turn.messages))
            await self.ledger.answer(turn, said, host=self.host, details={})

    async def deliver(self, number: int, *, dies: bool = False) -> None:
        parts = await self.ledger.ready(self.company, Channel.WHATSAPP, None)
        if not parts:
            return
        part = parts[number % len(parts)]
        outcome = await self.ledger.sending(
            part, host=self.host, fence=self.fence or 0, secret=b"s", sessions_hash=None
        )
        if outcome != "go":
            return
        self.said.update(part.text.split("|"))
        if dies:
            await self.die()
            return
        line = Line(f"S{part.id}", datetime.now(UTC), Sender.AGENT, part.text)
        self.memory.remember("outbox", part.id, self.company, part.customer, line)
        await self.ledger.sent(self.company, part.id, line.id, confirmed=True)

    async def die_while_sending(self, number: int) -> None:
        await self.deliver(number, dies=True)

    async def sell(self, number: int) -> None:
        if self.ids:
            self.sold += 1
            await self.look.execute(
                "INSERT INTO sales (company_id, customer_id, product_id, amount)"
                " SELECT $1, $2, id, 10 FROM products WHERE company_id = $1 LIMIT 1",
                self.company,
                self.ids[number % len(self.ids)],
            )

    async def write(self) -> None:
        while len(self.notes):  # noqa: ASYNC110 - Tasks of ours, which flush does not await.
            await asyncio.sleep(0.005)
        await self.memory.flush()

    async def sweep(self) -> None:
        notes = await self.desk.unremembered(age_seconds=0)
        self.memory.remember_all([note for note in notes if note.company_id == self.company])

    async def unite(self) -> None:
        await Merges(self.merge_desk, self.conversations, self.cache).finish()

    async def die_while_uniting(self, calls: int) -> None:
        broken = breaking(self.conversations, calls)
        try:
            await Merges(self.merge_desk, broken, self.cache).finish()
        except Killed:
            await self.die()

    async def finish(self) -> None:
        """Everybody shows both addresses, and then nobody dies any more."""
        for person in (0, 1):
            await self.arrive(person, "both")
        for _ in range(12):
            for number in range(len(self.ids)):
                await self.claim(number)
            while self.held:
                await self.answer(0)
            for _ in range(4):
                await self.deliver(0)
        for _ in range(4):
            await self.write()
            await self.sweep()
            await self.write()
            await self.unite()

    async def check(self) -> None:
        customers = await self._rows("customers")
        assert sorted((row["phone"], row["whatsapp_lid"]) for row in customers) == sorted(
            zip(PHONES, LIDS, strict=True)
        )
        await self._check_sums(customers)
        await self._check_turns()
        for row in customers:
            await self._check_history(row)

    async def _check_sums(self, customers: list[Any]) -> None:
        for person, phone in enumerate(PHONES):
            [row] = [row for row in customers if row["phone"] == phone]
            sent = [one for owner, one in self.sent if owner == person]
            assert row["total_interactions"] == len(sent)
            assert row["last_interaction"] >= sent[-1].sent_at
        sales = await self._rows("sales")
        assert sum(row["amount"] for row in sales) == Decimal(10 * self.sold)
        assert {row["customer_id"] for row in sales} <= {row["id"] for row in customers}

    async def _check_turns(self) -> None:
        assert {row["state"] for row in await self._rows("turns")} <= {"answered", "silent"}
        assert {row["state"] for row in await self._rows("outbox")} <= {"sent", "superseded"}
        inbox = await self._rows("inbox")
        assert {row["state"] for row in inbox} <= {"answered", "silent"}
        self.twice = {row["wa_id"].partition("#")[0] for row in inbox if "#" in row["wa_id"]}
        for _, sent in self.sent:
            # What came once for each row may have had both its answers before that was known.
            times = (1, 2) if sent.wa_id in self.twice else (1,)
            assert self.said[sent.wa_id] in times, sent.wa_id

    async def _check_history(self, customer: Any) -> None:
        [found] = [
            document
            for document in self.documents.find({"companyId": str(self.company)})
            if document["customerPhone"] == customer["phone"]
        ]
        assert found["customerId"] == str(customer["id"])
        said = [line["id"] for line in found["messages"]]
        person = PHONES.index(customer["phone"])
        parts = [row for row in await self._rows("outbox") if row["customer_id"] == customer["id"]]
        known = [sent.wa_id for owner, sent in self.sent if owner == person]
        known += [row["wa_id"] for row in parts if row["state"] == "sent"]
        assert sorted(said) == sorted(known)
        assert found["messageCount"] == len(said)
        if not self.twice:  # What comes once more stands where it came for the second time.
            times = [line["timestamp"] for line in found["messages"]]
            assert times == sorted(times)
        assert self.documents.count_documents({"companyId": str(self.company)}) == 2
        cached = await self.cache.load(self.company, customer["id"])
        assert isinstance(cached, Miss) or [line.id for line in cached] == said[-20:]

    async def _accept(self, sent: InboundMessage) -> None:
        kept = await self.ledger.accept(sent, reason=None, pause_seconds=60)
        if kept.customer.id not in self.ids:
            self.ids.append(kept.customer.id)
        if kept.inbox_id is not None:
            line = Line(sent.wa_id, sent.sent_at, sent.sender, sent.text)
            self.memory.remember("inbox", kept.inbox_id, self.company, kept.customer, line)

    async def _rows(self, table: str) -> list[Any]:
        query = f"SELECT * FROM {table} WHERE company_id = $1 ORDER BY id"  # noqa: S608 - Ours.
        return list(await self.look.fetch(query, self.company))
