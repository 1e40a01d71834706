"""Random lives of two chats in the ledger, with what must hold after every step and at the end."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
from hypothesis import strategies as st

from models.database import Database
from models.desk import Desk
from models.ledger import Ledger
from models.ledger_rows import Part
from models.values import Channel, InboundMessage, Turn
from tests.builders import message, reply

PHONES = ("+13055550101", "+13055550102")
HOSTS = (uuid4(), uuid4())

who, some = st.integers(0, 1), st.integers(0, 9)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), who),
        st.tuples(st.just("arrive"), who),
        st.tuples(st.just("arrive_again"), some),
        st.tuples(st.just("claim"), who, who),
        st.tuples(st.just("claim"), who, who),
        st.tuples(st.just("answer"), some, st.integers(1, 3)),
        st.tuples(st.just("answer"), some, st.integers(1, 3)),
        st.tuples(st.just("fall_silent"), some),
        st.tuples(st.just("defer"), some),
        st.tuples(st.just("begin_sending"), some),
        st.tuples(st.just("begin_sending"), some),
        st.tuples(st.just("end_sending"), some, st.booleans()),
        st.tuples(st.just("end_sending"), some, st.booleans()),
        st.tuples(st.just("bury"), who),
    ),
    min_size=5,
    max_size=40,
)

BROKEN = """
SELECT 'two open turns' FROM turns WHERE company_id = $1 AND state = 'open'
 GROUP BY customer_id HAVING count(*) > 1
UNION ALL
SELECT 'a pending message in a turn' FROM inbox
 WHERE company_id = $1 AND state = 'pending' AND turn_id IS NOT NULL
UNION ALL
SELECT 'a message and its turn differ' FROM inbox i LEFT JOIN turns t ON t.id = i.turn_id
 WHERE i.company_id = $1 AND (i.state = 'taken' AND t.state IS DISTINCT FROM 'open'
    OR i.state = 'answered' AND t.state IS DISTINCT FROM 'answered')
UNION ALL
SELECT 'silent without a reason' FROM inbox
 WHERE company_id = $1 AND state = 'silent' AND reason IS NULL
UNION ALL
SELECT 'a part of an open turn is alive' FROM outbox o JOIN turns t ON t.id = o.turn_id
 WHERE o.company_id = $1 AND o.state IN ('ready', 'sending', 'sent') AND t.state <> 'answered'
UNION ALL
SELECT 'out of order' FROM outbox a JOIN outbox b
    ON b.company_id = a.company_id AND b.customer_id = a.customer_id AND b.id > a.id
 WHERE a.company_id = $1 AND a.state IN ('ready', 'sending') AND b.state IN ('sending', 'sent')
"""


async def lives_soundly(
    company: UUID, db: Database, look: asyncpg.Connection, steps: list[tuple[Any, ...]]
) -> None:
    """Play the steps in a fresh company; the ledger is sound all the time and empties at last."""
    world = World(company, db, look)
    await world.begin()
    for name, *arguments in steps:
        await getattr(world, name)(*arguments)
        await world.is_sound()
    await world.finish()
    await world.all_is_said_once()


class World:
    """Two customers, two hosts that run turns, and one of them with the session."""

    def __init__(self, company: UUID, db: Database, look: asyncpg.Connection) -> None:
        self._company = company
        self._ledger = Ledger(db.call)
        self._desk = Desk(db.call, db.rows)
        self._look = look
        self._fence = 0
        self._arrived: list[InboundMessage] = []
        self._customers: dict[str, UUID] = {}
        self._held: list[tuple[Turn, UUID]] = []
        self._sending: list[tuple[Part, bytes]] = []

    async def begin(self) -> None:
        """The session has a holder."""
        self._fence = await self._ledger.lease(self._company, HOSTS[0]) or 0

    async def arrive(self, person: int) -> None:
        """Somebody writes."""
        text = f"«{len(self._arrived)}»"
        one = message(self._company, text, phone=PHONES[person], chat=PHONES[person])
        self._arrived.append(one)
        await self._accept(one, "new")

    async def arrive_again(self, number: int) -> None:
        """The same message comes once more."""
        if self._arrived:
            await self._accept(self._arrived[number % len(self._arrived)], "duplicate")

    async def claim(self, person: int, host: int) -> None:
        """A host takes the chat's turn, if there is one."""
        if customer := self._customers.get(PHONES[person]):
            claim = await self._ledger.claim(self._company, customer, HOSTS[host])
            if claim.turn is not None:
                self._held.append((claim.turn, HOSTS[host]))

    async def answer(self, number: int, parts: int) -> None:
        """A host answers what it once claimed, although it may be another's by now."""
        if self._held:
            turn, host = self._held[number % len(self._held)]
            texts = [turn.text, *("…" for _ in range(parts - 1))]
            await self._ledger.answer(turn, reply(*texts), host=host, details={})

    async def fall_silent(self, number: int) -> None:
        """A host ends what it once claimed without a word."""
        if self._held:
            turn, host = self._held[number % len(self._held)]
            await self._ledger.silence(turn, host=host, reason="nothing to say", handler=None)

    async def defer(self, number: int) -> None:
        """No model answers."""
        if self._held:
            turn, host = self._held[number % len(self._held)]
            await self._ledger.defer(
                turn, host=host, delay=60, reason="no model", notice="", notice_minutes=0
            )

    async def begin_sending(self, number: int) -> None:
        """A part is about to leave."""
        parts = await self._ledger.ready(self._company, Channel.WHATSAPP, None)
        if parts:
            await self._begin(parts[number % len(parts)])

    async def end_sending(self, number: int, arrived: bool) -> None:
        """A send has ended, in one way or the other."""
        if self._sending:
            part, secret = self._sending.pop(number % len(self._sending))
            if arrived:
                await self._ledger.sent(self._company, part.id, f"wa-{part.id}", confirmed=True)
            else:
                await self._ledger.unsent(
                    self._company, part.id, secret=secret, give_up=False, reason="never left"
                )

    async def bury(self, host: int) -> None:
        """A host is dead; what it held is free."""
        await self._desk.bury([HOSTS[host]])
        self._fence = await self._ledger.lease(self._company, HOSTS[0]) or 0

    async def is_sound(self) -> None:
        """What must never be."""
        broken = await self._look.fetch(BROKEN, self._company)
        assert [row[0] for row in broken] == []

    async def finish(self) -> None:
        """Everything that waits is answered and sent."""
        for host in range(len(HOSTS)):
            await self.bury(host)
        await self._look.execute(  # What was put off is due by then.
            "UPDATE turns SET due_at = now() WHERE company_id = $1 AND due_at > now()",
            self._company,
        )
        for _ in range(len(self._arrived) + 2):
            while self._sending:
                await self.end_sending(0, True)
            while parts := await self._ledger.ready(self._company, Channel.WHATSAPP, None):
                await self._begin(parts[0])
                await self.end_sending(0, True)
            self._held.clear()
            for person in range(len(PHONES)):
                await self.claim(person, 0)
            for number in range(len(self._held)):
                await self.answer(number, 1)
            await self.is_sound()

    async def all_is_said_once(self) -> None:
        """Each message is there once, and answered once, or silent with its reason."""
        rows = await self._look.fetch("SELECT * FROM inbox WHERE company_id = $1", self._company)
        sent = await self._look.fetch(
            "SELECT content FROM outbox WHERE company_id = $1 AND state = 'sent'"
            " AND kind = 'reply'",
            self._company,
        )
        assert sorted(row["wa_id"] for row in rows) == sorted(one.wa_id for one in self._arrived)
        for row in rows:
            times = sum(row["content"] in part["content"] for part in sent)
            assert (row["state"], times) in [("answered", 1), ("silent", 0)], dict(row)

    async def _begin(self, part: Part) -> None:
        secret = uuid4().bytes * 2
        outcome = await self._ledger.sending(
            part, host=HOSTS[0], fence=self._fence, secret=secret, sessions_hash=None
        )
        if outcome == "go":
            self._sending.append((part, secret))

    async def _accept(self, one: InboundMessage, verdict: str) -> None:
        kept = await self._ledger.accept(one, reason=None, pause_seconds=0)
        assert kept.verdict == verdict
        self._customers[one.phone] = kept.customer.id
