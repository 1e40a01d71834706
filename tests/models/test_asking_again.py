"""How often the model is asked for one turn: what a bell, an edit and a revoke may bring about."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from models.database import connect
from models.ledger import Ledger
from models.ledger_rows import Claim
from models.values import InboundMessage, Kind, Turn
from tests.builders import admin, make_company, message, reply

HOST = uuid4()


class Shop:
    """A company, one customer of it, and whoever answers."""

    def __init__(self, ledger: Ledger, company: UUID) -> None:
        self.ledger = ledger
        self.company = company
        self.customer = UUID(int=0)

    async def hear(self, text: str) -> InboundMessage:
        said = message(self.company, text)
        kept = await self.ledger.accept(said, reason=None, pause_seconds=0)
        self.customer = kept.customer.id
        return said

    async def change(self, old: InboundMessage, text: str = "") -> str:
        kind = Kind.EDIT if text else Kind.REVOKE
        changed = message(self.company, text, kind=kind, target=old.wa_id)
        return (await self.ledger.change(changed)).applied

    async def claim(self) -> Claim:
        return await self.ledger.claim(self.company, self.customer, HOST)

    async def taken(self) -> Turn:
        turn = (await self.claim()).turn
        assert turn is not None
        return turn

    async def answer(self, turn: Turn) -> str:
        outcome, _ = await self.ledger.answer(turn, reply("ya"), host=HOST, details={})
        return outcome

    async def defer(self, turn: Turn) -> None:
        await self.ledger.defer(
            turn, host=HOST, delay=60, reason="no model", notice="ya", notice_minutes=30
        )


@pytest.fixture
async def shop(database: str) -> AsyncIterator[Shop]:
    company = await make_company(database)
    async with connect(database, connections=2) as opened:
        yield Shop(Ledger(opened.call), company)


@pytest.fixture
async def look(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await admin(database)
    yield connection
    await connection.close()


async def test_a_turn_that_waits_for_a_model_is_taken_up_for_new_words_or_when_it_is_due(
    shop: Shop, look: asyncpg.Connection
) -> None:
    await shop.hear("uno")
    await shop.defer(await shop.taken())

    bell = await shop.claim()
    await shop.hear("dos")
    written = await shop.taken()
    await shop.defer(written)
    again = await shop.claim()
    await look.execute("UPDATE turns SET due_at = now() - interval '1 second'")
    due = await shop.taken()

    assert (bell.outcome, again.outcome) == ("nothing", "nothing")
    assert (written.text, written.tries, due.tries) == ("uno\ndos", 0, 1)


async def test_a_bell_is_heard_where_the_clock_was_set_back(
    shop: Shop, look: asyncpg.Connection
) -> None:
    await shop.hear("uno")
    await shop.defer(await shop.taken())
    await look.execute("UPDATE turns SET claimed_at = claimed_at + $1", timedelta(hours=1))

    assert (await shop.claim()).outcome == "claimed"


@pytest.mark.parametrize("ready", [False, True])
async def test_edits_take_an_answer_back_twice_and_then_come_too_late(
    shop: Shop, ready: bool
) -> None:
    said = await shop.hear("uno")
    turn, applied = await shop.taken(), []
    for number in range(4):
        if ready:
            await shop.answer(turn)
        applied.append(await shop.change(said, f"número {number}"))
        if applied[-1] == "changed":
            turn = await shop.taken()

    assert applied == ["changed", "changed", "late", "late"]
    assert (turn.text, turn.superseded) == ("número 1", 2)
    assert ready or await shop.answer(turn) == "ready"


async def test_edits_and_newer_messages_count_together(shop: Shop) -> None:
    said = await shop.hear("uno")
    turn = await shop.taken()
    await shop.hear("dos")
    joined = await shop.answer(turn)
    turn = await shop.taken()
    first = await shop.change(said, "uno y medio")
    turn = await shop.taken()
    await shop.hear("tres")
    second = await shop.change(said, "uno y cuarto")

    assert (joined, first, second) == ("joined", "changed", "late")
    assert turn.text == "uno y medio\ndos"
    assert await shop.answer(turn) == "ready"


async def test_an_edit_while_nobody_is_at_work_is_read_by_whoever_will_be(shop: Shop) -> None:
    said = await shop.hear("uno")
    turn = await shop.taken()
    await shop.change(said, "dos")
    applied = [await shop.change(said, f"número {number}") for number in range(5)]
    turn = await shop.taken()

    assert applied == ["changed"] * 5
    assert (turn.text, turn.superseded) == ("número 4", 1)


async def test_an_edit_does_not_bring_forward_what_waits_for_a_model(
    shop: Shop, look: asyncpg.Connection
) -> None:
    said = await shop.hear("uno")
    await shop.defer(await shop.taken())

    applied = await shop.change(said, "dos")
    bell = await shop.claim()
    await look.execute("UPDATE turns SET due_at = now() - interval '1 second'")
    due = await shop.taken()

    assert (applied, bell.outcome) == ("changed", "nothing")
    assert (due.text, due.tries) == ("dos", 1)


async def test_an_edit_at_a_later_try_is_answered_at_once(
    shop: Shop, look: asyncpg.Connection
) -> None:
    said = await shop.hear("uno")
    await shop.defer(await shop.taken())
    await look.execute("UPDATE turns SET due_at = now() - interval '1 second'")
    await shop.taken()
    await shop.change(said, "dos")

    assert (await shop.taken()).text == "dos"


async def test_one_of_two_messages_is_taken_back_too_late_after_two_edits(shop: Shop) -> None:
    first, second = await shop.hear("uno"), await shop.hear("dos")
    turn = await shop.taken()
    for number in range(2):
        await shop.change(first, f"número {number}")
        turn = await shop.taken()

    assert await shop.change(second) == "late"
    assert await shop.answer(turn) == "ready"


async def test_a_turn_whose_only_message_is_taken_back_ends_even_after_two_edits(
    shop: Shop, look: asyncpg.Connection
) -> None:
    said = await shop.hear("uno")
    await shop.taken()
    for number in range(2):
        await shop.change(said, f"número {number}")
        await shop.taken()

    assert await shop.change(said) == "emptied"
    assert await look.fetchval("SELECT state FROM turns") == "silent"
