"""One person in two rows becomes one customer, and nothing of either is lost or said twice."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID, uuid4

import asyncpg
import pytest

from models.customer_merges import MergeDesk
from models.customers import find_customer, pause_customer
from models.database import Database, connect
from models.desk import Desk
from models.ledger import Ledger
from models.ledger_rows import Accepted
from models.values import Channel, InboundMessage, Kind, Sender, Turn
from tests.builders import admin, make_company, message, reply

T = TypeVar("T")

HOST, OTHER = uuid4(), uuid4()
PHONE, LID = "+13055550100", "77"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

TABLES_OF_A_CUSTOMER = {"agent_logs", "customer_merges", "inbox", "outbox", "sales", "turns"}


class Shop:
    """A company, its ledger, and one person who writes by number, by LID, or showing both."""

    def __init__(self, db: Database, company: UUID, look: asyncpg.Connection) -> None:
        self.ledger = Ledger(db.call)
        self.desk = Desk(db.call, db.rows)
        self.merges = MergeDesk(db.call, db.rows)
        self.company = company
        self.look = look

    def by_number(self, text: str = "hola", **more: Any) -> InboundMessage:
        return message(self.company, text, phone=PHONE, **more)

    def by_lid(self, text: str = "hola", **more: Any) -> InboundMessage:
        chat = {"chat": f"{LID}@lid"} | more
        return message(self.company, text, phone=f"lid:{LID}", lid=LID, **chat)

    def by_both(self, text: str = "hola", **more: Any) -> InboundMessage:
        return message(self.company, text, phone=PHONE, lid=LID, **more)

    async def accept(self, sent: InboundMessage) -> Accepted:
        return await self.ledger.accept(sent, reason=None, pause_seconds=3600)

    async def two_rows(self) -> tuple[UUID, UUID]:
        """The person has written by number and by LID: the ids of both rows."""
        number = await self.accept(self.by_number("uno"))
        lid = await self.accept(self.by_lid("dos"))
        assert number.customer.id != lid.customer.id
        return number.customer.id, lid.customer.id

    async def claimed(self, customer: UUID, host: UUID = HOST) -> Turn:
        claim = await self.ledger.claim(self.company, customer, host)
        assert claim.turn is not None
        return claim.turn

    async def answered(self, turn: Turn, *parts: str, host: UUID = HOST) -> str:
        outcome, _ = await self.ledger.answer(turn, reply(*parts), host=host, details={})
        return outcome

    async def rows(self, table: str, columns: str = "*") -> list[Any]:
        return list(await self.look.fetch(f"SELECT {columns} FROM {table} ORDER BY 1"))  # noqa: S608

    async def customer(self) -> Any:
        [row] = await self.rows("customers")
        return row

    async def sells(self, customer: UUID, amount: int = 98) -> None:
        await self.look.execute(
            "INSERT INTO sales (company_id, customer_id, product_id, amount)"
            " SELECT $1, $2, id, $3 FROM products WHERE company_id = $1 LIMIT 1",
            self.company,
            customer,
            amount,
        )


@pytest.fixture
async def shop(database: str) -> AsyncIterator[Shop]:
    company, look = await make_company(database), await admin(database)
    async with connect(database, connections=6) as db:
        yield Shop(db, company, look)
    await look.close()


async def test_the_first_message_that_shows_both_makes_two_rows_one(shop: Shop) -> None:
    number, lid = await shop.two_rows()

    third = await shop.accept(shop.by_both("tres"))

    row = await shop.customer()
    assert third.customer.id == row["id"] == number
    assert (row["phone"], row["whatsapp_lid"], third.former) == (PHONE, LID, f"lid:{LID}")
    assert row["total_interactions"] == 3
    merged = [tuple(one) for one in await shop.rows("customer_merges", "old_id, new_id")]
    assert merged == [(lid, number)]
    assert {one["customer_id"] for one in await shop.rows("inbox")} == {number}


async def test_a_message_of_the_owner_that_shows_both_does_so_too(shop: Shop) -> None:
    await shop.two_rows()

    await shop.accept(shop.by_both("ya le digo", sender=Sender.OWNER))

    assert (await shop.customer())["pause_reason"] == "owner"


async def test_a_lid_that_shows_its_number_keeps_its_row_and_says_who_it_was(shop: Shop) -> None:
    first = await shop.accept(shop.by_lid())

    second = await shop.accept(shop.by_both())
    third = await shop.accept(shop.by_both())

    assert first.customer.id == second.customer.id == third.customer.id
    assert (second.former, third.former) == (f"lid:{LID}", None)
    assert await shop.rows("customer_merges") == []


async def test_a_number_that_shows_its_lid_is_found_by_it_and_named_by_the_number(
    shop: Shop,
) -> None:
    first = await shop.accept(shop.by_number())
    await shop.accept(shop.by_both())

    hidden = await shop.accept(shop.by_lid())

    assert (hidden.customer.id, hidden.customer.phone) == (first.customer.id, PHONE)


async def test_an_account_that_shows_a_new_number_gets_it(shop: Shop) -> None:
    first = await shop.accept(shop.by_both())

    moved = await shop.accept(message(shop.company, phone="+13055550999", lid=LID))

    assert moved.customer.id == first.customer.id
    assert (await shop.customer())["phone"] == "+13055550999"


async def test_numbers_and_sums_of_both_are_kept(shop: Shop) -> None:
    number, lid = await shop.two_rows()
    change = (
        "UPDATE customers SET first_contact = $2, last_interaction = $3, lifetime_value = $4,"
        " tags = $5, stage = $6, name = $7, metadata = $8, limited_until = $3 WHERE id = $1"
    )
    early, late = NOON, NOON + timedelta(days=9)
    known = (NOON + timedelta(days=1), NOON, Decimal("98.00"), ["a", "b"], "lead", None)
    hidden = (early, late, Decimal("78.50"), ["b", "c"], "qualified", "Ana")
    await shop.look.execute(change, number, *known, '{"x": 1, "y": 1}')
    await shop.look.execute(change, lid, *hidden, '{"x": 2, "z": 2}')

    await shop.accept(shop.by_both("tres", sent_at=NOON))

    row = await shop.customer()
    assert (row["first_contact"], row["last_interaction"]) == (early, late)
    assert row["lifetime_value"] == Decimal("176.50")
    assert (row["tags"], row["stage"], row["name"]) == (["a", "b", "c"], "qualified", "Ana")
    assert row["metadata"] == '{"x": 1, "y": 1, "z": 2}'
    assert row["limited_until"] == late


@pytest.mark.parametrize("paused", ["number", "lid"])
async def test_a_pause_and_a_wish_for_silence_hold_for_the_person(shop: Shop, paused: str) -> None:
    rows = dict(zip(("number", "lid"), await shop.two_rows(), strict=True))
    turns = [await shop.claimed(customer) for customer in rows.values()]
    until = datetime.now(UTC) + timedelta(hours=1)
    await pause_customer(shop.company, rows[paused], until=until)
    await shop.look.execute("UPDATE customers SET opted_out = true WHERE id = $1", rows[paused])

    await shop.accept(shop.by_both("tres"))

    row = await shop.customer()
    assert (row["paused_until"], row["pause_reason"], row["opted_out"]) == (until, "command", True)
    assert sorted([await shop.answered(turn) for turn in turns]) == ["lost", "silent"]


async def test_every_table_with_a_customer_is_known_to_the_merge(shop: Shop) -> None:
    rows = await shop.look.fetch(
        "SELECT DISTINCT conrelid::regclass::text AS name FROM pg_constraint"
        " WHERE contype = 'f' AND confrelid = 'customers'::regclass"
    )

    assert {row["name"] for row in rows} == TABLES_OF_A_CUSTOMER


async def test_no_row_of_any_table_is_eaten_by_the_end_of_the_old_one(shop: Shop) -> None:
    _, lid = await shop.two_rows()
    turn = await shop.claimed(lid)
    await shop.answered(turn, "a", "b")
    await shop.sells(lid)
    await shop.look.execute(
        "INSERT INTO agent_logs (company_id, agent_type, event_type, event_data, customer_id)"
        " VALUES ($1, 'x', 'x', '{}', $2)",
        shop.company,
        lid,
    )
    tables = TABLES_OF_A_CUSTOMER - {"customer_merges"}
    before = {table: len(await shop.rows(table)) for table in tables}

    # What shows the number is the owner's, so that it supersedes no answer.
    third = await shop.accept(shop.by_both("yo sigo", sender=Sender.OWNER))

    before["inbox"] += 1
    assert {table: len(await shop.rows(table)) for table in tables} == before
    for table in tables:
        found = await shop.rows(table, "customer_id")
        assert {row["customer_id"] for row in found} == {third.customer.id}, table


async def test_a_sale_is_written_to_the_person_also_with_a_former_id(shop: Shop) -> None:
    number, lid = await shop.two_rows()
    await shop.accept(shop.by_both())

    await shop.sells(lid)

    assert [row["customer_id"] for row in await shop.rows("sales")] == [number]


async def test_a_sale_in_the_very_moment_of_the_merge_is_kept(shop: Shop, database: str) -> None:
    number, lid = await shop.two_rows()
    seller = await admin(database)
    other = Shop.__new__(Shop)
    other.company, other.look = shop.company, seller

    transaction = seller.transaction()
    await transaction.start()
    await other.sells(lid, 78)  # Written before the merge, and committed after it began.
    merging = asyncio.ensure_future(shop.accept(shop.by_both()))
    await asyncio.sleep(0.3)
    assert not merging.done()
    await transaction.commit()
    await merging
    await seller.close()

    assert [(row["customer_id"], row["amount"]) for row in await shop.rows("sales")] == [
        (number, 78)
    ]


async def test_of_two_turns_at_work_one_goes_on_and_takes_the_messages_of_the_other(
    shop: Shop,
) -> None:
    number, lid = await shop.two_rows()
    first, second = await shop.claimed(number), await shop.claimed(lid, OTHER)

    await shop.accept(shop.by_both("tres"))
    outcomes = [await shop.answered(first), await shop.answered(second, host=OTHER)]
    again = await shop.claimed(lid)

    assert outcomes == ["joined", "lost"]
    assert (again.id, again.text) == (first.id, "uno\ndos\ntres")
    assert again.customer.id == number
    assert await shop.answered(again) == "ready"
    assert [row["state"] for row in await shop.rows("inbox")] == ["answered"] * 3
    assert sorted(row["state"] for row in await shop.rows("turns")) == ["answered", "silent"]


async def test_the_turn_at_work_stays_and_not_the_one_that_waits_for_a_model(shop: Shop) -> None:
    number, lid = await shop.two_rows()
    waiting = await shop.claimed(number)
    await shop.ledger.defer(
        waiting, host=HOST, delay=900, reason="x", notice="x", notice_minutes=30
    )
    at_work = await shop.claimed(lid)

    await shop.accept(shop.by_both("tres"))

    assert await shop.answered(at_work) == "joined"


async def test_an_answer_that_is_ready_leaves_before_the_next_turn(shop: Shop) -> None:
    await shop.ledger.lease(shop.company, HOST)
    number, lid = await shop.two_rows()
    assert await shop.answered(await shop.claimed(lid), "para dos") == "ready"
    at_work = await shop.claimed(number)

    third = await shop.accept(shop.by_both("tres"))
    assert await shop.answered(at_work) == "joined"
    busy = await shop.ledger.claim(shop.company, number, HOST)
    [part] = await shop.ledger.ready(shop.company, Channel.WHATSAPP, None)
    said = await shop.ledger.sending(part, host=HOST, fence=1, secret=b"s", sessions_hash=None)
    more = await shop.ledger.sent(shop.company, part.id, "W1", confirmed=True)
    last = await shop.claimed(lid)

    assert third.reason is None
    assert (busy.outcome, part.chat, said, more) == ("busy", f"{LID}@lid", "go", True)
    assert last.text == "uno\ntres"


async def test_answers_of_both_rows_leave_in_order_to_the_address_each_came_from(
    shop: Shop,
) -> None:
    await shop.ledger.lease(shop.company, HOST)
    number, lid = await shop.two_rows()
    for customer, text in ((lid, "para dos"), (number, "para uno")):
        await shop.answered(await shop.claimed(customer), text)
    await shop.accept(shop.by_both("yo", sender=Sender.OWNER))
    await pause_customer(shop.company, number, until=None)

    first, second = await shop.ledger.ready(shop.company, Channel.WHATSAPP, None)
    early = await shop.ledger.sending(second, host=HOST, fence=1, secret=b"s", sessions_hash=None)
    right = await shop.ledger.sending(first, host=HOST, fence=1, secret=b"s", sessions_hash=None)

    assert (first.chat, second.chat) == (f"{LID}@lid", "13055550100@s.whatsapp.net")
    assert (early, right) == ("gone", "go")


async def test_a_part_that_is_being_sent_is_recorded_with_the_person(shop: Shop) -> None:
    await shop.ledger.lease(shop.company, HOST)
    number, lid = await shop.two_rows()
    await shop.answered(await shop.claimed(lid), "para dos")
    [part] = await shop.ledger.ready(shop.company, Channel.WHATSAPP, None)
    await shop.ledger.sending(part, host=HOST, fence=1, secret=b"s", sessions_hash=None)

    await shop.accept(shop.by_both("tres"))
    more = await shop.ledger.sent(shop.company, part.id, "W1", confirmed=True)

    assert more
    assert [row["customer_id"] for row in await shop.rows("agent_logs")] == [number]


async def test_an_edit_takes_no_answer_back_beside_another_turn_at_work(shop: Shop) -> None:
    number, lid = await shop.two_rows()
    await shop.answered(await shop.claimed(lid), "para dos")
    at_work = await shop.claimed(number)
    [target] = [row["wa_id"] for row in await shop.rows("inbox") if row["content"] == "dos"]

    edit = shop.by_both("dos!", kind=Kind.EDIT, target=target)
    changed = await shop.ledger.change(edit)

    assert (changed.applied, changed.customer.phone) == ("late", PHONE)
    assert await shop.answered(at_work) == "ready"


async def test_a_message_that_came_once_for_each_row_is_answered_and_counted_once(
    shop: Shop,
) -> None:
    kept = [await shop.accept(sent) for sent in (shop.by_lid(wa_id="X"), shop.by_number(wa_id="X"))]

    await shop.accept(shop.by_both("otra"))
    again = await shop.accept(shop.by_both(wa_id="X"))
    turn = await shop.claimed(kept[0].customer.id)

    assert [one.verdict for one in kept] == ["new", "collision"]
    assert again.verdict == "duplicate"
    assert turn.text == "hola\notra"
    assert (await shop.customer())["total_interactions"] == 2
    silent = [row["reason"] for row in await shop.rows("inbox") if row["state"] == "silent"]
    assert silent == ["the same message again"]


@pytest.mark.parametrize("answered", ["first", "second"])
async def test_a_message_whose_other_copy_was_answered_is_not_answered_again(
    shop: Shop, answered: str
) -> None:
    lid = await shop.accept(shop.by_lid(wa_id="X"))
    number = await shop.accept(shop.by_number(wa_id="X"))
    of = {"first": (lid, number), "second": (number, lid)}[answered]
    done = await shop.claimed(of[0].customer.id)
    await shop.answered(done)
    repeated = await shop.claimed(of[1].customer.id)

    await shop.accept(shop.by_both("ya", sender=Sender.OWNER))

    assert await shop.answered(repeated) == "lost"
    assert sorted(row["state"] for row in await shop.rows("turns")) == ["answered", "silent"]


async def test_a_collision_is_remembered_under_the_id_that_whatsapp_gave(shop: Shop) -> None:
    for sent in (shop.by_lid(wa_id="X"), shop.by_number(wa_id="X")):
        kept = await shop.accept(sent)

    turn = await shop.claimed(kept.customer.id)

    assert [line.id for line in turn.messages] == ["X"]
    assert {note.line.id for note in await shop.desk.unremembered(age_seconds=0)} == {"X"}


async def test_a_line_written_under_a_former_id_is_not_taken_for_remembered(shop: Shop) -> None:
    number, _ = await shop.two_rows()
    lid = await shop.accept(shop.by_lid("tres"))
    await shop.accept(shop.by_both("cuatro"))
    [merge] = await shop.merges.open()
    await shop.merges.done(merge)
    row, former = lid.inbox_id or 0, lid.customer.id

    await shop.desk.remembered([(row, former)], [])
    reopened = await shop.merges.open()
    stale = await shop.look.fetchval("SELECT remembered FROM inbox WHERE id = $1", row)
    await shop.desk.remembered([(row, number)], [])

    assert reopened == [merge]
    assert (stale, await shop.look.fetchval("SELECT remembered FROM inbox WHERE id = $1", row)) == (
        False,
        True,
    )


async def test_what_was_not_marked_unites_the_documents_once_more(shop: Shop) -> None:
    await shop.two_rows()
    await shop.accept(shop.by_both())
    [merge] = await shop.merges.open()
    await shop.merges.done(merge)
    quiet = await shop.merges.open()

    await shop.desk.unremembered(age_seconds=0)

    assert quiet == []
    assert await shop.merges.open() == [merge]


async def test_the_newest_lines_of_the_old_row_count_as_not_remembered(shop: Shop) -> None:
    number, lid = await shop.two_rows()
    await shop.look.execute("UPDATE inbox SET remembered = true")

    await shop.accept(shop.by_both("tres"))
    claim = await shop.ledger.claim(shop.company, number, HOST)

    assert lid != number
    assert claim.turn is not None
    notes = await shop.desk.unremembered(age_seconds=0)
    assert [note.line.text for note in notes] == ["dos", "tres"]


async def test_a_turn_that_runs_under_a_former_id_is_no_stray(shop: Shop) -> None:
    _, lid = await shop.two_rows()
    await shop.claimed(lid)
    await shop.accept(shop.by_both())

    strays = await shop.desk.tidy(HOST, [lid], age_seconds=0)
    lost = await shop.desk.tidy(HOST, [], age_seconds=0)

    assert (strays, lost) == (0, 1)


async def test_the_limit_a_notice_and_an_admission_follow_a_former_id(shop: Shop) -> None:
    number, lid = await shop.two_rows()
    await shop.accept(shop.by_both())

    await shop.ledger.limit(shop.company, lid, seconds=60, over="full")
    await shop.ledger.notice(shop.company, lid, Channel.WHATSAPP, "c", "Un momento")
    await shop.ledger.admit(shop.company, lid, 0)

    assert (await shop.customer())["limited_until"] is not None
    assert [row["customer_id"] for row in await shop.rows("outbox")] == [number]


async def test_a_person_at_the_command_line_may_use_a_former_id_or_lid(shop: Shop) -> None:
    number, lid = await shop.two_rows()
    await shop.accept(shop.by_both())
    until = datetime.now(UTC) + timedelta(hours=1)

    found = [await find_customer(shop.company, ref) for ref in (str(lid), f"lid:{LID}", PHONE)]
    await pause_customer(shop.company, lid, until=until)

    assert {one.id for one in found} == {number}
    assert (await shop.customer())["paused_until"] == until


async def test_what_an_owner_is_to_hear_follows_the_person(shop: Shop) -> None:
    number, lid = await shop.two_rows()
    turn = await shop.claimed(lid)
    said = reply("le paso con alguien", pause_minutes=30, pause_reason="handover",
                 event="handover_requested")  # fmt: skip
    await shop.ledger.answer(turn, said, host=HOST, details={})
    await shop.look.execute(
        "INSERT INTO incidents (company_id, kind, subject, began_at)"
        " SELECT company_id, 'hand_over', id, now() FROM customers WHERE phone LIKE 'lid%'"
    )

    await shop.accept(shop.by_both())

    subjects = {row["subject"] for row in await shop.rows("events", "subject")}
    assert subjects == {str(number)}
    assert [row["subject"] for row in await shop.rows("incidents", "subject")] == [str(number)]


async def test_messages_by_all_ways_at_once_end_in_one_row(shop: Shop) -> None:
    ways = [shop.by_lid, shop.by_number, shop.by_both]

    await asyncio.gather(*(shop.accept(ways[number % 3](f"{number}")) for number in range(24)))

    row = await shop.customer()
    assert (row["phone"], row["whatsapp_lid"], row["total_interactions"]) == (PHONE, LID, 24)
    assert len(await shop.rows("inbox")) == 24


@asynccontextmanager
async def merge_begun(shop: Shop, database: str) -> AsyncIterator[None]:
    """Both rows are becoming one, which is committed at the end; what is asked meanwhile waits."""
    other = await admin(database)
    old, new = [
        await shop.look.fetchval("SELECT id FROM customers WHERE phone = $1", phone)
        for phone in (f"lid:{LID}", PHONE)
    ]
    async with other.transaction():
        await other.execute("SELECT road_merge($1, $2, $3)", shop.company, old, new)
        yield
    await other.close()


async def waits(step: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """The step, which has been begun and does not end by itself."""
    task = asyncio.ensure_future(step)
    done, _ = await asyncio.wait([task], timeout=0.3)
    assert not done
    return task


async def test_a_message_in_the_very_moment_of_the_merge_is_the_persons(
    shop: Shop, database: str
) -> None:
    number, _ = await shop.two_rows()

    async with merge_begun(shop, database):
        accepting = await waits(shop.accept(shop.by_lid("tres")))

    assert (await accepting).customer.id == number
    assert (await shop.customer())["total_interactions"] == 3


async def test_a_turn_claimed_in_the_very_moment_of_the_merge_has_the_messages_of_both(
    shop: Shop, database: str
) -> None:
    _, lid = await shop.two_rows()

    async with merge_begun(shop, database):
        claiming = await waits(shop.claimed(lid))

    assert (await claiming).text == "uno\ndos"


async def test_an_answer_in_the_very_moment_of_the_merge_is_the_persons(
    shop: Shop, database: str
) -> None:
    number, lid = await shop.two_rows()
    await shop.answered(await shop.claimed(number))
    turn = await shop.claimed(lid)

    async with merge_begun(shop, database):
        answering = await waits(shop.answered(turn, "para dos"))

    assert await answering == "ready"
    assert {row["customer_id"] for row in await shop.rows("outbox")} == {number}


async def test_a_delay_in_the_very_moment_of_the_merge_gives_the_person_a_notice(
    shop: Shop, database: str
) -> None:
    number, lid = await shop.two_rows()
    turn = await shop.claimed(lid)
    delay = shop.ledger.defer(
        turn, host=HOST, delay=60, reason="x", notice="Un momento", notice_minutes=30
    )

    async with merge_begun(shop, database):
        deferring = await waits(delay)

    assert await deferring is not None
    assert [row["customer_id"] for row in await shop.rows("outbox")] == [number]
    assert (await shop.customer())["noticed_at"] is not None


@pytest.mark.parametrize("left", [True, False])
async def test_the_end_of_a_send_in_the_very_moment_of_the_merge_is_recorded(
    shop: Shop, database: str, left: bool
) -> None:
    await shop.ledger.lease(shop.company, HOST)
    number, lid = await shop.two_rows()
    await shop.answered(await shop.claimed(lid), "para dos")
    [part] = await shop.ledger.ready(shop.company, Channel.WHATSAPP, None)
    await shop.ledger.sending(part, host=HOST, fence=1, secret=b"s", sessions_hash=None)
    company = shop.company
    sent = shop.ledger.sent(company, part.id, "W1", confirmed=True)
    refused = shop.ledger.unsent(company, part.id, secret=b"s", give_up=True, reason="refused")
    end, other = (sent, refused) if left else (refused, sent)
    other.close()

    async with merge_begun(shop, database):
        ending = await waits(end)
    await ending

    assert [row["state"] for row in await shop.rows("outbox")] == ["sent" if left else "failed"]
    assert [row["customer_id"] for row in await shop.rows("agent_logs")] == [number]


async def test_claims_answers_and_merges_at_once_lose_no_message(shop: Shop) -> None:
    number, lid = await shop.two_rows()

    async def answers(customer: UUID, host: UUID) -> None:
        for _ in range(6):
            claim = await shop.ledger.claim(shop.company, customer, host)
            if claim.turn:
                await shop.answered(claim.turn, host=host)

    await asyncio.gather(
        answers(number, HOST), answers(lid, OTHER), shop.accept(shop.by_both("tres"))
    )

    assert {row["customer_id"] for row in await shop.rows("inbox")} == {number}
    open_turns = [row for row in await shop.rows("turns") if row["state"] == "open"]
    assert len(open_turns) <= 1
    assert {row["state"] for row in await shop.rows("inbox")} <= {"answered", "pending", "taken"}
