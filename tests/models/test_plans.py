"""With 10,000 customers and 1,000,000 ledger rows every query on the road uses an index."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from tests.conftest import MakeDatabase
from tests.models.big import COMPANY, HOST, customer, faults, former, load, plans, row, turn

C, H = COMPANY, HOST
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MOST_CHATS = 1000
"""So many a sweep brings back."""
TEXT = ("whatsapp", "customer", "+130540", "940", "chat-40", "Ana", "text", "Hola", NOW, 0)
ROAD: dict[str, tuple[object, ...]] = {
    "road_accept": (C, "new-id", *TEXT, None, 3600.0, "over the limit"),
    "road_merge": (C, customer(420), customer(440)),
    "road_merge_turns": (C, customer(420), customer(440)),
    "road_merge_repeated": (C, customer(420), customer(440)),
    "road_lock": (C, former(20)),
    "road_lock_part": (C, row(460)),
    "road_change": (
        C, "new-edit", "whatsapp", "+130540", "940", "chat-40", "Ana", "edit", "Hola", NOW, 0,
        "in-100",
    ),
    "road_supersede": (C, customer(420)),
    "road_call_over": (C, "in-100", False),
    "road_limit": (C, customer(200), 60.0, row(200), "over the limit"),
    "road_admit": (C, customer(420), row(420)),
    "road_owner_wrote": (
        C, "owner-1", "whatsapp", "+130540", "940", "chat-40", "text", "yo sigo", NOW, 0, 3600.0,
        "#bot", None,
    ),
    "road_notice": (C, customer(40), "whatsapp", "chat-40", "Un momento"),
    "road_claim": (C, customer(220), H),
    "road_history": (C, customer(420), 20),
    "road_answer": (
        C, turn(40), 1, H, ["Hola"], "persona", None, None, None, None, None, None, None, "{}",
    ),
    "road_silence": (C, turn(40), 1, H, "no", None),
    "road_defer": (C, turn(40), 1, H, 60.0, "no model", "Un momento", 30),
    "road_ready": (C, "whatsapp", None, 100),
    "road_sending": (C, row(420), H, 1, b"secret", None, 43200.0),
    "road_stop": (C, row(420), "the owner"),
    "road_sent": (C, row(460), "wa", True),
    "road_sent_and_sending": (C, row(460), "wa", True, row(420), H, 1, b"secret", None, 43200.0),
    "road_unsent": (C, row(460), b"secret", False, "not connected"),
    "road_unsettled": (C, "whatsapp", None, 5),
    "road_fate": (C, "in-100"),
    "road_lease": (C, H),
    "road_release": (C, H, 1),
    "desk_beat": (H, "host", 0, "daemon"),
    "desk_bury": ([H],),
    "desk_strays": (H, [], 1.0),
    "desk_tidy": (H, [], 1.0, [row(100)], [customer(100)], [row(100)], [customer(100)]),
    "desk_waiting": (H, 1.0, MOST_CHATS),
    "desk_rung_out": (90.0,),
    "desk_take_up": (43200.0,),
    "desk_ready": (),
    "desk_unremembered": (1.0, 200),
    "desk_remembered": ([row(100)], [customer(100)], [row(100)], [customer(100)]),
    "desk_merges": (50,),
    "desk_merged": (former(20),),
    "desk_wanted": (H,),
    "desk_overview": (),
    "desk_held": (H,),
    "desk_workers": (),
    "desk_purge": (0, 0, 0, 500),
    "desk_eldest": (H,),
    "road_unwritten": (C, customer(420)),
    "desk_find": ("in-100", row(100), turn(40), turn(40)),
    "road_why": (C, "inbox", str(row(100))),
    "desk_watch": (NOW,),
    "road_next_delivery": (C, "events", NOW, 60.0),
    "road_end_delivery": (C, 1, 1, "delivered", None, None, NOW),
}  # fmt: skip

# Called inside the others, or by a person only.
OFF_THE_ROAD = {
    "road_customer", "road_free_number", "road_close_silent", "road_apply_change", "road_reopen",
    "road_unremembered", "road_at_once", "road_manner", "road_today", "desk_too_old",
    "desk_record_session",
    "road_note", "desk_note_all", "desk_alerts_overview", "desk_prune",
    "desk_retry", "desk_logged", "desk_highest",
    "desk_claim_number",
}  # fmt: skip


@pytest.fixture(scope="module")
async def big(
    make_database: MakeDatabase, template: str, admin_url: str
) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection to a database of the promised size."""
    async with make_database(template) as url:
        path = urlsplit(url).path
        admin = await asyncpg.connect(urlsplit(admin_url)._replace(path=path).geturl())
        try:
            await load(admin)
            yield admin
        finally:
            await admin.close()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("function", ROAD)
@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
async def test_a_road_query_uses_an_index(
    big: asyncpg.Connection, function: str, generic: bool
) -> None:
    executed = await plans(big, function, ROAD[function], generic=generic)

    assert len(executed) >= 2  # The call and at least one statement inside it.
    assert {plan: faults(plan) for plan in executed if faults(plan)} == {}


@pytest.mark.timeout(180)
async def test_no_step_of_the_road_is_forgotten_here(big: asyncpg.Connection) -> None:
    rows = await big.fetch("SELECT proname FROM pg_proc WHERE proname ~ '^(road|desk)_'")

    assert {row["proname"] for row in rows} == ROAD.keys() | OFF_THE_ROAD


@pytest.mark.timeout(180)
async def test_the_loaded_size_is_the_promised_one(big: asyncpg.Connection) -> None:
    tables = ("inbox", "outbox", "turns", "customers")
    counts: dict[str, Any] = {
        table: await big.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - Our names.
        for table in tables
    }

    assert counts.pop("customers") == 10_000
    assert sum(counts.values()) == 1_000_000


@pytest.mark.timeout(180)
@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
async def test_ten_thousand_messages_that_wait_are_not_looked_at_one_by_one(
    big: asyncpg.Connection, generic: bool
) -> None:
    undone = big.transaction()
    await undone.start()
    try:
        newest = (row(10_299), row(300))
        await big.execute("UPDATE inbox SET state = 'pending' WHERE id BETWEEN $1 AND $2", *newest)
        executed = await plans(big, "desk_waiting", ROAD["desk_waiting"], generic=generic)
    finally:
        await undone.rollback()

    assert [plan for plan in executed if "rows=9" in plan]  # It had them to look at.
    loops = [int(found) for plan in executed for found in re.findall(r"Scan.* loops=(\d+)", plan)]
    assert max(loops) <= MOST_CHATS


@pytest.mark.timeout(180)
async def test_a_scan_of_a_big_table_would_be_noticed(big: asyncpg.Connection) -> None:
    await big.execute(
        "CREATE OR REPLACE FUNCTION worst_case(p uuid) RETURNS bigint LANGUAGE sql VOLATILE"
        " AS $$ SELECT count(*) FROM inbox WHERE content = p::text $$;"
        " ALTER FUNCTION worst_case OWNER TO app; GRANT EXECUTE ON FUNCTION worst_case TO app;"
        " CREATE OR REPLACE FUNCTION worst(p uuid) RETURNS bigint LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM enter_system(); RETURN worst_case(p); END $$"
    )
    executed = await plans(big, "worst", [uuid4()], generic=False)

    assert [fault for plan in executed for fault in faults(plan)]
