"""The ledger's verbs on real PostgreSQL: every step is compare-and-set."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from models.database import Database, connect
from models.desk import Desk, Wanted
from models.ledger import Ledger
from models.ledger_rows import Claim, Part
from models.values import AiMetadata, Channel, InboundMessage, Sender, Stage, Turn
from tests.builders import admin, make_company, message, reply

HOST, OTHER = uuid4(), uuid4()
SECRET = b"s" * 32


@pytest.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with connect(database, connections=4) as db:
        yield db


@pytest.fixture
def ledger(opened: Database) -> Ledger:
    return Ledger(opened.call)


@pytest.fixture
def desk(opened: Database) -> Desk:
    return Desk(opened.call, opened.rows)


@pytest.fixture
async def company(database: str) -> UUID:
    return await make_company(database)


@pytest.fixture
async def look(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await admin(database)
    yield connection
    await connection.close()


async def accept(ledger: Ledger, sent: InboundMessage, reason: str | None = None) -> Any:
    return await ledger.accept(sent, reason=reason, pause_seconds=3600)


async def claimed(ledger: Ledger, sent: InboundMessage) -> Turn:
    kept = await accept(ledger, sent)
    claim = await ledger.claim(sent.company_id, kept.customer.id, HOST)
    assert claim.turn is not None
    return claim.turn


async def answered(ledger: Ledger, turn: Turn, *parts: str, **values: Any) -> list[int]:
    said = reply(*parts, **values)
    outcome, ids = await ledger.answer(turn, said, host=HOST, details={})
    assert outcome == "ready"
    return ids


async def send(ledger: Ledger, part: Part, *, host: UUID = HOST, fence: int = 1) -> str:
    return await ledger.sending(part, host=host, fence=fence, secret=SECRET, sessions_hash=None)


async def states(look: asyncpg.Connection, table: str) -> list[Mapping[str, Any]]:
    return list(await look.fetch(f"SELECT * FROM {table} ORDER BY 1"))  # noqa: S608


async def test_a_message_is_kept_once(ledger: Ledger, company: UUID, look: Any) -> None:
    sent = message(company)

    first, again = await accept(ledger, sent), await accept(ledger, sent)

    assert (first.verdict, again.verdict) == ("new", "duplicate")
    assert again.inbox_id is None
    assert [row["state"] for row in await states(look, "inbox")] == ["pending"]
    assert [row["total_interactions"] for row in await states(look, "customers")] == [1]


async def test_the_same_id_of_another_customer_is_kept_beside_it(
    ledger: Ledger, company: UUID, look: Any
) -> None:
    await accept(ledger, message(company, wa_id="X"))

    other = await accept(ledger, message(company, wa_id="X", phone="+13055550199"))
    again = await accept(ledger, message(company, wa_id="X", phone="+13055550199"))

    assert other.verdict == "collision"
    assert again.verdict == "duplicate"
    assert [row["wa_id"] for row in await states(look, "inbox")] == ["X", f"X#{other.customer.id}"]


async def test_the_same_id_in_two_companies_is_two_messages(
    ledger: Ledger, company: UUID, database: str
) -> None:
    second = await make_company(database)

    verdicts = [(await accept(ledger, message(c, wa_id="X"))).verdict for c in (company, second)]

    assert verdicts == ["new", "new"]


async def test_a_customer_known_by_lid_gains_the_number(
    ledger: Ledger, company: UUID, look: Any
) -> None:
    first = await accept(ledger, message(company, phone="lid:77", lid="77"))

    second = await accept(ledger, message(company, phone="+13055550100", lid="77"))

    assert first.customer.id == second.customer.id
    assert [row["phone"] for row in await states(look, "customers")] == ["+13055550100"]


async def test_of_many_claims_at_once_one_gets_the_turn(ledger: Ledger, company: UUID) -> None:
    kept = await accept(ledger, message(company))

    claims: list[Claim] = await asyncio.gather(
        *(ledger.claim(company, kept.customer.id, uuid4()) for _ in range(8))
    )

    assert sorted(claim.outcome for claim in claims) == ["busy"] * 7 + ["claimed"]


async def test_a_claim_takes_all_that_waits_in_order_with_the_catalogue(
    ledger: Ledger, company: UUID
) -> None:
    for text in ("hola", "cuánto cuesta?"):
        kept = await accept(ledger, message(company, text))

    claim = await ledger.claim(company, kept.customer.id, HOST)

    assert claim.turn is not None
    assert claim.turn.text == "hola\ncuánto cuesta?"
    assert [(p.ref, p.name, str(p.price)) for p in claim.turn.company.products] == [
        ("P1", "Plan Personalizado", "98.00"),
        ("P2", "Reto Mensual", "78.00"),
    ]


async def test_an_answer_is_recorded_once_and_only_by_the_attempt_that_holds_the_turn(
    ledger: Ledger, desk: Desk, company: UUID, look: Any
) -> None:
    turn = await claimed(ledger, message(company))
    await desk.bury([HOST])
    second = (await ledger.claim(company, turn.customer.id, OTHER)).turn
    assert second is not None

    late = await ledger.answer(turn, reply(), host=HOST, details={})
    right = await ledger.answer(second, reply(), host=OTHER, details={})
    twice = await ledger.answer(second, reply(), host=OTHER, details={})

    assert (late[0], right[0], twice[0]) == ("lost", "ready", "lost")
    assert second.attempt == turn.attempt + 1
    assert [row["state"] for row in await states(look, "outbox")] == ["ready"]
    assert [row["state"] for row in await states(look, "inbox")] == ["answered"]


async def test_a_message_that_arrives_while_we_think_joins_the_turn_twice_at_most(
    ledger: Ledger, company: UUID
) -> None:
    turn = await claimed(ledger, message(company, "uno"))
    outcomes = []
    for text in ("dos", "tres", "cuatro"):
        await accept(ledger, message(company, text))
        outcomes.append((await ledger.answer(turn, reply(), host=HOST, details={}))[0])
        again = await ledger.claim(company, turn.customer.id, HOST)
        turn = again.turn or turn

    assert outcomes == ["joined", "joined", "ready"]
    assert turn.text == "uno\ndos\ntres"


async def test_a_newer_message_takes_back_an_answer_that_has_not_left(
    ledger: Ledger, company: UUID, look: Any
) -> None:
    turn = await claimed(ledger, message(company, "uno"))
    await answered(ledger, turn, "a", "b")

    await accept(ledger, message(company, "dos"))
    again = await ledger.claim(company, turn.customer.id, HOST)

    assert again.turn is not None
    assert again.turn.id == turn.id
    assert again.turn.text == "uno\ndos"
    assert [row["state"] for row in await states(look, "outbox")] == ["superseded"] * 2
    await answered(ledger, again.turn, "c")


async def test_a_message_over_the_limit_takes_no_answer_back(
    ledger: Ledger, company: UUID, look: Any
) -> None:
    turn = await claimed(ledger, message(company, "uno"))
    await ledger.limit(company, turn.customer.id, seconds=60, over="full")
    await answered(ledger, turn)

    over = await ledger.accept(message(company), reason=None, pause_seconds=1, over="full")

    assert over.reason == "full"
    assert [row["state"] for row in await states(look, "outbox")] == ["ready"]
    assert [row["state"] for row in await states(look, "inbox")] == ["answered", "silent"]


async def test_a_message_over_the_limit_joins_no_turn(
    ledger: Ledger, company: UUID, look: Any
) -> None:
    turn = await claimed(ledger, message(company, "uno"))
    await ledger.limit(company, turn.customer.id, seconds=60, over="full")

    await ledger.accept(message(company), reason=None, pause_seconds=1, over="full")
    outcome, _ = await ledger.answer(turn, reply(), host=HOST, details={})

    assert outcome == "ready"


async def test_the_limit_ends_with_its_window_and_passes_over_what_it_does_not_count(
    ledger: Ledger, company: UUID
) -> None:
    turn = await claimed(ledger, message(company, "uno"))
    await ledger.limit(company, turn.customer.id, seconds=60, over="full")

    uncounted = await accept(ledger, message(company))
    await ledger.limit(company, turn.customer.id, seconds=-0.1, over="full")
    later = await ledger.accept(message(company), reason=None, pause_seconds=1, over="full")

    assert (uncounted.reason, later.reason) == (None, None)


async def test_a_message_that_was_not_over_after_all_is_like_any_other(
    ledger: Ledger, company: UUID
) -> None:
    turn = await claimed(ledger, message(company, "uno"))
    await answered(ledger, turn)
    await ledger.limit(company, turn.customer.id, seconds=60, over="full")
    kept = await ledger.accept(message(company, "dos"), reason=None, pause_seconds=1, over="full")

    await ledger.admit(company, turn.customer.id, kept.inbox_id or 0)
    again = await ledger.claim(company, turn.customer.id, HOST)

    assert again.turn is not None
    assert (again.turn.id, again.turn.text) == (turn.id, "uno\ndos")


async def test_once_a_part_leaves_the_answer_stands_and_the_next_turn_waits_for_it(
    ledger: Ledger, company: UUID
) -> None:
    await ledger.lease(company, HOST)
    turn = await claimed(ledger, message(company, "uno"))
    await answered(ledger, turn, "a", "b")
    parts = await ledger.ready(company, Channel.WHATSAPP, None)
    assert await send(ledger, parts[0]) == "go"

    kept = await accept(ledger, message(company, "dos"))
    busy = await ledger.claim(company, kept.customer.id, HOST)
    assert await ledger.sent(company, parts[0].id, "W1", confirmed=True)
    assert await send(ledger, parts[1]) == "go"
    await ledger.sent(company, parts[1].id, "W2", confirmed=True)
    free = await ledger.claim(company, kept.customer.id, HOST)

    assert (busy.outcome, free.outcome) == ("busy", "claimed")
    assert free.turn is not None
    assert free.turn.text == "dos"
    assert [line.text for line in free.unremembered] == ["uno", "a", "b"]


async def test_supersede_and_sending_race_and_one_wins(
    ledger: Ledger, company: UUID, look: Any
) -> None:
    await ledger.lease(company, HOST)
    for number in range(20):
        phone = f"+1305555{number:04}"
        turn = await claimed(ledger, message(company, "uno", phone=phone, chat=phone))
        await answered(ledger, turn)
        (part,) = await ledger.ready(company, Channel.WHATSAPP, phone)

        outcome, _ = await asyncio.gather(
            send(ledger, part), accept(ledger, message(company, "dos", phone=phone, chat=phone))
        )

        state = await look.fetchval("SELECT state FROM outbox WHERE id = $1", part.id)
        open_turns = await look.fetchval(
            "SELECT count(*) FROM turns WHERE id = $1 AND state = 'open'", turn.id
        )
        assert (outcome, state, open_turns) in [("go", "sending", 0), ("gone", "superseded", 1)]


async def test_the_owner_pauses_the_chat_and_stops_what_has_not_left(
    ledger: Ledger, company: UUID, look: Any
) -> None:
    await ledger.lease(company, HOST)
    turn = await claimed(ledger, message(company))
    await answered(ledger, turn, "a", "b")
    parts = await ledger.ready(company, Channel.WHATSAPP, None)

    await accept(ledger, message(company, "yo me encargo", sender=Sender.OWNER))

    assert await send(ledger, parts[0]) == "stopped"
    assert {row["state"] for row in await states(look, "outbox")} == {"stopped"}
    assert {row["state"] for row in await states(look, "turns")} == {"silent"}
    silent = await accept(ledger, message(company, "gracias"))
    assert silent.reason == "paused: owner"


async def test_an_answer_is_refused_while_the_owner_has_the_chat(
    ledger: Ledger, company: UUID, look: Any
) -> None:
    turn = await claimed(ledger, message(company))
    await accept(ledger, message(company, "ya voy", sender=Sender.OWNER))

    outcome, _ = await ledger.answer(turn, reply(), host=HOST, details={})

    assert outcome == "silent"
    assert await states(look, "outbox") == []


async def test_a_hand_over_says_its_farewell_and_then_keeps_silent(
    ledger: Ledger, company: UUID, look: Any
) -> None:
    await ledger.lease(company, HOST)
    turn = await claimed(ledger, message(company))
    pause = {"pause_minutes": 60, "pause_reason": "handover", "event": "handover_requested"}
    await answered(ledger, turn, "te paso con el equipo", **pause)
    (part,) = await ledger.ready(company, Channel.WHATSAPP, None)

    assert await send(ledger, part) == "go"
    later = await accept(ledger, message(company, "hola?"))

    assert later.reason == "paused: handover"
    assert [row["event_type"] for row in await states(look, "agent_logs")] == ["handover_requested"]


async def test_only_the_owner_of_the_lease_sends(ledger: Ledger, company: UUID) -> None:
    fence = await ledger.lease(company, HOST)
    turn = await claimed(ledger, message(company))
    await answered(ledger, turn)
    (part,) = await ledger.ready(company, Channel.WHATSAPP, None)

    assert await send(ledger, part, host=OTHER, fence=fence or 0) == "gone"
    assert await send(ledger, part, host=HOST, fence=(fence or 0) - 1) == "gone"
    assert await send(ledger, part, host=HOST, fence=fence or 0) == "go"


async def test_a_lease_passes_on_only_when_its_host_is_gone(
    ledger: Ledger, desk: Desk, company: UUID
) -> None:
    await desk.beat(HOST, name="a", shard=0, role="daemon")
    first = await ledger.lease(company, HOST)

    assert await ledger.lease(company, OTHER) is None
    await desk.bury([HOST])
    second = await ledger.lease(company, OTHER)

    assert (first, second) == (1, 2)


async def test_a_sent_part_is_logged_with_its_cost(
    ledger: Ledger, company: UUID, look: Any
) -> None:
    await ledger.lease(company, HOST)
    turn = await claimed(ledger, message(company))
    ai = AiMetadata(model="m", tokens_used=150, response_time=1200, intent="saludo")
    await answered(ledger, turn, "hola", ai=ai, stage=Stage.QUALIFIED)
    (part,) = await ledger.ready(company, Channel.WHATSAPP, None)

    await send(ledger, part)
    await ledger.sent(company, part.id, "W1", confirmed=True)

    (log,) = await states(look, "agent_logs")
    assert (log["agent_type"], log["event_type"]) == ("customer-acquisition", "message_sent")
    assert (log["tokens_used"], log["response_time_ms"]) == (150, 1200)
    (customer,) = await states(look, "customers")
    assert customer["stage"] == "qualified"
    assert customer["last_interaction"] is not None
    assert part.ai == ai


async def test_a_deferred_turn_waits_and_gives_one_notice_in_half_an_hour(
    ledger: Ledger, desk: Desk, company: UUID
) -> None:
    turn = await claimed(ledger, message(company))
    notices = []
    for _ in range(2):
        notices.append(
            await ledger.defer(
                turn, host=HOST, delay=0, reason="down", notice="ya te escribo", notice_minutes=30
            )
        )
        found = await desk.waiting(HOST, grace_seconds=60)
        assert found == [(company, turn.customer.id, turn.messages[-1].id)]
        again = (await ledger.claim(company, turn.customer.id, HOST)).turn
        assert again is not None
        turn = again

    assert notices[0] is not None
    assert notices[1] is None
    assert turn.tries == 2


async def test_a_send_that_never_left_is_ready_again_and_one_that_failed_is_not(
    ledger: Ledger, company: UUID, look: Any
) -> None:
    await ledger.lease(company, HOST)
    turn = await claimed(ledger, message(company))
    await answered(ledger, turn)
    (part,) = await ledger.ready(company, Channel.WHATSAPP, None)

    await send(ledger, part)
    await ledger.unsent(company, part.id, secret=SECRET, give_up=False, reason="not connected")
    assert await send(ledger, part) == "go"
    await ledger.unsent(company, part.id, secret=SECRET, give_up=True, reason="refused")

    assert [row["state"] for row in await states(look, "outbox")] == ["failed"]


async def test_a_late_verdict_does_not_touch_a_newer_try(
    ledger: Ledger, company: UUID, look: Any
) -> None:
    await ledger.lease(company, HOST)
    turn = await claimed(ledger, message(company))
    await answered(ledger, turn)
    (part,) = await ledger.ready(company, Channel.WHATSAPP, None)
    await send(ledger, part)

    await ledger.unsent(
        company, part.id, secret=b"former" * 5, give_up=False, reason="it never left"
    )

    assert [row["state"] for row in await states(look, "outbox")] == ["sending"]


async def test_a_part_does_not_overtake_one_whose_end_is_open(
    ledger: Ledger, company: UUID
) -> None:
    await ledger.lease(company, HOST)
    turn = await claimed(ledger, message(company))
    await answered(ledger, turn, "uno", "dos")
    first, second = await ledger.ready(company, Channel.WHATSAPP, None)

    early = [await send(ledger, second), await send(ledger, first), await send(ledger, second)]
    await ledger.sent(company, first.id, "W1", confirmed=True)

    assert early == ["gone", "go", "gone"]
    assert await send(ledger, second) == "go"


async def test_the_owner_pauses_a_person_who_still_stands_in_two_rows(
    ledger: Ledger, company: UUID
) -> None:
    await accept(ledger, message(company, phone="+13055550100"))
    await accept(ledger, message(company, phone="lid:77", lid="77"))

    await accept(ledger, message(company, phone="+13055550100", lid="77", sender=Sender.OWNER))
    hidden = await accept(ledger, message(company, phone="lid:77", lid="77"))

    assert hidden.reason == "paused: owner"


async def test_only_sends_with_an_older_fence_are_settled(
    ledger: Ledger, desk: Desk, company: UUID
) -> None:
    await desk.beat(HOST, name="a", shard=0, role="daemon")
    await ledger.lease(company, HOST)
    turn = await claimed(ledger, message(company))
    await answered(ledger, turn)
    (part,) = await ledger.ready(company, Channel.WHATSAPP, None)
    await send(ledger, part)

    mine = await ledger.unsettled(company, Channel.WHATSAPP, None, 1)
    next_holder = await ledger.unsettled(company, Channel.WHATSAPP, None, 2)

    assert mine == []
    assert [(row["id"], row["secret"]) for row in next_holder] == [(part.id, "73" * 32)]


async def test_the_sweep_finds_what_waits_and_leaves_what_is_held(
    ledger: Ledger, desk: Desk, company: UUID
) -> None:
    sent = message(company)
    kept = await accept(ledger, sent)

    assert await desk.waiting(HOST, grace_seconds=60) == []
    assert await desk.waiting(HOST, grace_seconds=0) == [(company, kept.customer.id, sent.wa_id)]
    await ledger.claim(company, kept.customer.id, HOST)
    assert await desk.waiting(HOST, grace_seconds=0) == []
    assert await desk.tidy(HOST, [kept.customer.id], age_seconds=0) == 0
    assert await desk.tidy(HOST, [], age_seconds=0) == 1
    assert await desk.waiting(HOST, grace_seconds=0) == [(company, kept.customer.id, sent.wa_id)]


async def test_what_waits_where_a_session_lives_is_left_to_its_holder(
    ledger: Ledger, desk: Desk, company: UUID
) -> None:
    kept = await accept(ledger, message(company, phone="+5215511110000"))
    turn = await claimed(ledger, message(company, phone="+5215522220000"))
    await desk.bury([HOST])  # Its turn is free again.
    await desk.beat(HOST, name="a", shard=0, role="daemon")
    await ledger.lease(company, HOST)

    mine = await desk.waiting(HOST, grace_seconds=0)
    others = await desk.waiting(OTHER, grace_seconds=0)
    await desk.bury([HOST])
    orphaned = await desk.waiting(OTHER, grace_seconds=0)

    assert others == []
    assert {customer for _, customer, _ in mine} == {kept.customer.id, turn.customer.id}
    assert sorted(orphaned) == sorted(mine)


async def test_the_sweep_rings_with_the_newest_message_of_a_chat(
    ledger: Ledger, desk: Desk, company: UUID
) -> None:
    for wa_id in ("M-older", "Z-old", "A-newest"):
        kept = await accept(ledger, message(company, wa_id=wa_id))

    assert await desk.waiting(HOST, grace_seconds=0) == [(company, kept.customer.id, "A-newest")]


async def test_parts_behind_a_send_whose_end_is_open_are_not_offered(
    ledger: Ledger, company: UUID
) -> None:
    await ledger.lease(company, HOST)
    turn = await claimed(ledger, message(company))
    await answered(ledger, turn, "uno", "dos")
    first, second = await ledger.ready(company, Channel.WHATSAPP, None)
    await send(ledger, first)

    meanwhile = await ledger.ready(company, Channel.WHATSAPP, None)
    await ledger.sent(company, first.id, "W1", confirmed=True)

    assert meanwhile == []
    assert await ledger.ready(company, Channel.WHATSAPP, None) == [second]


async def test_history_not_yet_written_is_found_until_it_is_marked(
    ledger: Ledger, desk: Desk, company: UUID
) -> None:
    sent = message(company, "hola")
    kept = await accept(ledger, sent)

    (found,) = await desk.unremembered(age_seconds=0)
    await desk.tidy(HOST, [], age_seconds=60, inbox=[(kept.inbox_id or 0, kept.customer.id)])

    assert (found.line.id, found.line.text) == (sent.wa_id, "hola")
    assert await desk.unremembered(age_seconds=0) == []


async def test_history_knows_which_lines_of_the_same_second_follow(
    ledger: Ledger, desk: Desk, company: UUID
) -> None:
    first = message(company)
    later = [message(company, sent_at=first.sent_at) for _ in range(2)]
    for one in (first, *later, message(company)):
        await accept(ledger, one)

    found = {note.line.id: note.line.before for note in await desk.unremembered(age_seconds=0)}

    assert set(found[first.wa_id]) == {one.wa_id for one in later}
    assert found[later[1].wa_id] == ()


async def test_a_paused_company_answers_nobody(ledger: Ledger, company: UUID, look: Any) -> None:
    kept = await accept(ledger, message(company))
    await look.execute("UPDATE companies SET paused = true WHERE id = $1", company)

    claim = await ledger.claim(company, kept.customer.id, HOST)

    assert (claim.outcome, claim.reason) == ("silent", "paused: company")
    assert (await ledger.fate(company, "nonsense")).state is None


async def test_the_overview_counts_the_backlog_and_lists_the_hand_overs(
    ledger: Ledger, desk: Desk, company: UUID
) -> None:
    turn = await claimed(ledger, message(company))
    pause = {"pause_minutes": 60, "pause_reason": "handover"}
    await answered(ledger, turn, "te paso", **pause)
    await accept(ledger, message(company, phone="+13055550177"))

    seen = await desk.overview()

    assert (seen["pending"], seen["outbox"]) == (1, 1)
    assert [one["customer"] for one in seen["handovers"]] == ["+13055550100"]


async def test_only_active_companies_of_active_owners_want_a_session(
    desk: Desk, company: UUID, database: str, look: Any
) -> None:
    idle = await make_company(database, active=False)
    orphan = await make_company(database)
    await look.execute(
        "UPDATE users SET status = 'suspended'"
        " WHERE id = (SELECT owner_id FROM companies WHERE id = $1)",
        orphan,
    )

    assert await desk.wanted(HOST) == [Wanted(company, None, elsewhere=False)]
    assert idle != company


async def test_a_company_that_is_not_active_is_found_until_it_is_said_to_be_stopped(
    ledger: Ledger, desk: Desk, company: UUID, database: str
) -> None:
    idle = await make_company(database, active=False)
    over = Wanted(idle, None, elsewhere=False, wanted=False)

    async def found() -> list[Wanted]:
        return [one for one in await desk.wanted(HOST) if one.company_id != company]

    async def say(reason: str) -> None:
        words = {"reason": reason}
        await desk.record_session(idle, HOST, connected=False, phone=None, data=words)

    assert await found() == []
    await say("logged_out")
    assert await found() == [over]
    await desk.beat(OTHER, name="b", shard=1, role="daemon")
    fence = await ledger.lease(idle, OTHER)
    assert await found() == []
    await ledger.release(idle, OTHER, fence or 0)
    assert await found() == [over]
    await say("stopped")
    assert await found() == []


async def test_a_company_is_elsewhere_while_another_living_host_holds_it(
    ledger: Ledger, desk: Desk, company: UUID
) -> None:
    async def elsewhere(host: UUID) -> list[bool]:
        return [one.elsewhere for one in await desk.wanted(host)]

    await desk.beat(HOST, name="a", shard=0, role="daemon")
    before = await elsewhere(OTHER)
    await ledger.lease(company, HOST)
    during = (await elsewhere(HOST), await elsewhere(OTHER))
    await desk.bury([HOST])

    assert (before, during) == ([False], ([False], [True]))
    assert await elsewhere(OTHER) == [False]


async def test_only_the_holder_of_a_company_says_how_its_whatsapp_is(
    ledger: Ledger, desk: Desk, company: UUID, look: Any
) -> None:
    async def says(host: UUID, reason: str) -> bool:
        data = {"reason": reason}
        connected = reason == "online"
        return await desk.record_session(company, host, connected=connected, phone=None, data=data)

    await desk.beat(HOST, name="a", shard=3, role="daemon")
    assert await says(OTHER, "never_paired")
    await ledger.lease(company, HOST)

    assert await says(HOST, "online")
    assert not await says(OTHER, "stopped")
    (row,) = (await desk.overview())["companies"]
    assert (row["reason"], row["shard"], row["host"]) == ("online", 3, str(HOST))
    assert await look.fetchval("SELECT whatsapp_connected FROM companies")

    await desk.bury([HOST])
    assert await says(OTHER, "stopped")


async def test_what_an_answer_that_was_taken_back_has_cost_is_kept(
    ledger: Ledger, company: UUID, look: Any
) -> None:
    turn = await claimed(ledger, message(company))
    costs: dict[str, object] = {"target": "main", "asked": [{"target": "main", "tokens": 7}]}
    await ledger.answer(turn, reply("uno"), host=HOST, details=costs)
    await accept(ledger, message(company))
    again = (await ledger.claim(company, turn.customer.id, HOST)).turn
    assert again is not None
    await ledger.answer(again, reply("dos"), host=HOST, details=costs)

    kept = await look.fetchval("SELECT details -> 'asked' FROM turns")
    assert kept == '[{"target": "main", "tokens": 7}, {"target": "main", "tokens": 7}]'
