"""What the ledger's steps leave behind for alerts and integrators, and the queues to them."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from models.alert_settings import set_channels
from models.alerts import AlertDesk, Outlet
from models.customers import pause_customer
from models.database import Database
from models.desk import Desk
from models.ledger import Ledger
from models.ledger_rows import Claim
from models.products import set_product
from models.values import Channel, Kind, Sender, Stage
from tests.builders import make_company, message, reply
from tests.one_database import database, db, look
from tests.schemas import SCHEMAS

__all__ = ["database", "db", "look"]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOST = uuid4()


class Shop:
    """A company with its ledger, and a look at what was noted of it."""

    def __init__(self, company: UUID, database: Database, look: asyncpg.Connection) -> None:
        self.id = company
        self.database = database
        self.ledger = Ledger(database.call)
        self.desk = Desk(database.call, database.rows)
        self.alerts = AlertDesk(database.call)
        self.look = look

    async def ask(self, text: str = "hola", **values: Any) -> Claim:
        """A customer's message, and the turn it opens."""
        kept = await self.ledger.accept(
            message(self.id, text, **values), reason=None, pause_seconds=3600
        )
        return await self.ledger.claim(self.id, kept.customer.id, HOST)

    async def answer(self, **values: Any) -> list[int]:
        """A turn with this reply; the ids of its parts."""
        claim = await self.ask()
        assert claim.turn
        _, ids = await self.ledger.answer(claim.turn, reply(**values), host=HOST, details={})
        return ids

    async def send(self, ids: list[int], wa_id: str = "out-1") -> None:
        """The first of the parts leaves."""
        fence = await self.ledger.lease(self.id, HOST)
        part = next(
            part
            for part in await self.ledger.ready(self.id, Channel.WHATSAPP, None)
            if part.id == ids[0]
        )
        await self.ledger.sending(
            part, host=HOST, fence=fence or 0, secret=b"s", sessions_hash=None
        )
        await self.ledger.sent(self.id, part.id, wa_id, confirmed=True)

    async def hand_over(self, reason: str = "model", **data: Any) -> None:
        """A reply that gives the chat to a person."""
        pause = {"pause_minutes": 60, "pause_reason": "handover"}
        told = {"event": "handover_requested", "event_data": {"reason": reason, **data}}
        await self.answer(**pause, **told)

    async def noted(self) -> list[tuple[str, dict[str, Any]]]:
        """Kind and data of each event, in order."""
        rows = await self.look.fetch(
            "SELECT kind, data::text FROM events WHERE company_id = $1 ORDER BY id", self.id
        )
        return [(row["kind"], _json(row["data"])) for row in rows]

    async def kinds(self) -> list[str]:
        """The kinds alone."""
        return [kind for kind, _ in await self.noted()]

    async def subscribe(self, since: datetime | None = None) -> None:
        """The company wants its events."""
        await self.look.execute(
            "INSERT INTO alert_settings (company_id, events, events_since, log_position)"
            " VALUES ($1, 'https://crm.test/hook', $2, $2)",
            self.id,
            since or datetime.now(UTC) - timedelta(minutes=1),
        )

    async def value(self, column: str, table: str) -> Any:
        """One value of the company's only row in a table."""
        query = f"SELECT {column} FROM {table} WHERE company_id = $1"  # noqa: S608
        return await self.look.fetchval(query, self.id)

    async def due(self) -> list[Outlet]:
        """The company's queues with something to deliver now."""
        return [
            outlet for company, outlet in (await self.alerts.look(NOW)).queues if company == self.id
        ]

    async def published(self) -> list[tuple[str, dict[str, Any]]]:
        """Type and data of what is on its way to the integrator, in order."""
        await self.alerts.look(NOW)
        rows = await self.look.fetch(
            "SELECT type, payload::text AS p FROM deliveries"
            " WHERE company_id = $1 AND channel = 'events' ORDER BY id",
            self.id,
        )
        return [(row["type"], _json(row["p"])["data"]) for row in rows]


@pytest.fixture
async def shop(db: Database, database: str, look: asyncpg.Connection) -> Shop:
    return Shop(await make_company(database), db, look)


async def test_an_ordinary_message_and_its_reply_note_nothing(shop: Shop) -> None:
    await shop.send(await shop.answer())

    assert await shop.noted() == []


async def test_a_session_is_noted_when_its_reason_changes_and_only_then(shop: Shop) -> None:
    data = {"reason": "banned_until", "detail": "", "until": "2026-03-02T00:00:00+00:00"}
    for words in ({"reason": "online"}, data, data):
        await shop.desk.record_session(shop.id, HOST, connected=False, phone="+1305", data=words)

    assert await shop.noted() == [
        ("session", {"reason": "online", "phone": "+1305"}),
        ("session", {**data, "phone": "+1305"}),
    ]


async def test_a_stage_is_noted_when_it_changes(shop: Shop) -> None:
    await shop.answer(stage=Stage.QUALIFIED)
    await shop.answer(stage=Stage.QUALIFIED)

    [(kind, data)] = await shop.noted()
    assert (kind, data["from"], data["to"]) == ("stage", "lead", "qualified")
    assert data["phone"] == "+13055550100"


async def test_a_hand_over_is_noted_with_who_waits_why_and_until_when(shop: Shop) -> None:
    await shop.hand_over("no_payment_link", product={"id": "P", "name": "Plan"})

    [(kind, data)] = await shop.noted()
    assert (kind, data["reason"], data["phone"]) == ("handover", "no_payment_link", "+13055550100")
    assert data["product"] == {"id": "P", "name": "Plan"}
    left = datetime.fromisoformat(data["until"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < left < timedelta(minutes=61)


async def test_a_hand_over_that_its_owner_takes_is_noted_as_over(shop: Shop) -> None:
    await shop.hand_over()

    await shop.ledger.accept(
        message(shop.id, "yo sigo", sender=Sender.OWNER), reason=None, pause_seconds=60
    )

    assert await shop.kinds() == ["handover", "handover_over"]


async def test_a_hand_over_that_is_resumed_is_noted_as_over(shop: Shop) -> None:
    await shop.hand_over()
    customer = await shop.value("id", "customers")

    await pause_customer(shop.id, customer, until=None)
    await pause_customer(shop.id, customer, until=None)

    assert await shop.kinds() == ["handover", "handover_over"]


async def test_a_message_that_comes_too_late_is_noted(shop: Shop) -> None:
    await shop.ledger.accept(message(shop.id), reason="too old when it arrived", pause_seconds=3600)

    [(kind, data)] = await shop.noted()
    assert (kind, UUID(data["customerId"])) == (
        "too_old",
        await shop.value("id", "customers"),
    )


async def test_a_reply_that_waited_too_long_is_noted(shop: Shop) -> None:
    await shop.answer()
    fence = await shop.ledger.lease(shop.id, HOST)
    [part] = await shop.ledger.ready(shop.id, Channel.WHATSAPP, None)

    verdict = await shop.ledger.sending(
        part, host=HOST, fence=fence or 0, secret=b"s", sessions_hash=None, oldest_seconds=0
    )

    assert (verdict, await shop.kinds()) == ("stopped", ["too_old"])


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({"payment_link": "https://pay.test/plan"}, ["payable"]),
        ({"active": "no"}, ["payable"]),
        ({"price": "99"}, []),
    ],
)
async def test_a_product_that_can_be_paid_for_or_is_gone_is_noted(
    shop: Shop, change: dict[str, str], kinds: list[str]
) -> None:
    await set_product(shop.id, "Plan Personalizado", change)

    assert await shop.kinds() == kinds


async def test_nobody_s_events_are_published(shop: Shop) -> None:
    await shop.send(await shop.answer(stage=Stage.QUALIFIED))

    assert await shop.published() == []


async def test_an_integrator_s_events_are_published_once_in_their_order(shop: Shop) -> None:
    await shop.subscribe()
    await shop.send(await shop.answer(stage=Stage.QUALIFIED))
    first = await shop.published()
    await shop.hand_over()

    told = await shop.published()

    assert told[:3] == first
    assert [kind for kind, _ in told] == [
        *("message.received", "customer.stage_changed", "reply.sent"),
        *("message.received", "chat.handed_over"),
    ]
    received, _, sent = (data for _, data in first)
    assert (received["text"], received["phone"], received["silence"]) == (
        *("hola", "+13055550100"),
        None,
    )
    assert (sent["text"], sent["messageId"], sent["kind"]) == ("claro", "out-1", "reply")


async def test_what_happened_before_the_subscription_is_not_published(shop: Shop) -> None:
    await shop.send(await shop.answer())
    await shop.subscribe(datetime.now(UTC))
    await shop.ask("después")

    assert [(kind, data["text"]) for kind, data in await shop.published()] == [
        ("message.received", "después")
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": Kind.EDIT, "text": "buenas"}, {"text": "buenas", "applied": True}),
        ({"kind": Kind.REVOKE, "text": ""}, {"applied": True}),
        ({"kind": Kind.EDIT, "text": "x", "target": "gone"}, {"text": "x", "applied": False}),
    ],
)
async def test_a_change_of_a_message_is_no_message_received(
    shop: Shop, change: dict[str, Any], told: dict[str, Any]
) -> None:
    await shop.subscribe()
    await shop.ask(wa_id="first")
    await shop.ledger.change(message(shop.id, **({"wa_id": "change", "target": "first"} | change)))

    type_, data = (await shop.published())[-1]

    assert type_ == f"message.{'edited' if change['kind'] is Kind.EDIT else 'revoked'}"
    assert (data["messageId"], data["targetId"]) == ("change", change.get("target", "first"))
    assert told.items() <= data.items()
    assert set(data) == promised(type_)


async def test_a_reaction_is_no_message_received(shop: Shop) -> None:
    await shop.subscribe()
    sign = message(shop.id, "👍", kind=Kind.REACTION, target="out-1", wa_id="sign")
    await shop.ledger.accept(sign, reason="a reaction", pause_seconds=0)

    [(type_, data)] = await shop.published()

    assert (type_, data["targetId"], data["emoji"]) == ("message.reaction", "out-1", "👍")
    assert set(data) == promised(type_)


async def test_what_the_owner_types_is_not_a_message_received(shop: Shop) -> None:
    await shop.subscribe()
    await shop.ledger.accept(
        message(shop.id, "yo sigo", sender=Sender.OWNER), reason=None, pause_seconds=60
    )

    assert await shop.published() == []


async def test_a_message_that_becomes_visible_after_a_later_one_is_published_too(
    shop: Shop, database: str
) -> None:
    await shop.subscribe()
    slow = await asyncpg.connect(database)
    transaction = slow.transaction()
    await transaction.start()
    await slow.fetch(
        "SELECT * FROM road_accept($1, 'slow', 'whatsapp', 'customer', '+1', NULL, 'c', NULL,"
        " 'text', 'lento', now(), 0, NULL, 60, NULL)",
        shop.id,
    )
    await shop.ask("rápido")
    assert [data["text"] for _, data in await shop.published()] == ["rápido"]

    await transaction.commit()
    await slow.close()

    assert [data["text"] for _, data in await shop.published()] == ["rápido", "lento"]


async def test_a_long_backlog_is_published_whole_and_the_position_follows(shop: Shop) -> None:
    await shop.subscribe(datetime.now(UTC) - timedelta(hours=2))
    await shop.ask("una")
    await shop.look.execute(
        "INSERT INTO inbox (company_id, customer_id, wa_id, channel, sender, chat, kind, content,"
        " sent_at, received_at, state) SELECT company_id, customer_id, 'old-' || n, channel,"
        " sender, chat, kind, n::text, sent_at, now() - make_interval(mins => 60) , 'silent'"
        " FROM inbox, generate_series(1, 1200) n WHERE company_id = $1",
        shop.id,
    )

    counts = [len(await shop.published()) for _ in range(4)]

    assert counts == [500, 1000, 1201, 1201]
    newest = await shop.value("max(id)", "inbox")
    assert await shop.value("inbox_position", "alert_settings") == newest


def promised(type_: str) -> set[str]:
    """What integrators are told that such an event holds."""
    return set(SCHEMAS[type_]["properties"]["data"]["required"])


async def put(shop: Shop, *sources: str, at: datetime = NOW) -> None:
    """Deliveries that wait in the company's webhook queue."""
    for source in sources:
        await shop.look.execute(
            "INSERT INTO deliveries (company_id, channel, type, source, payload, created_at,"
            " next_try_at) VALUES ($1, 'webhook', 'alert.begun', $2, '{}', $3, $3)",
            shop.id,
            source,
            at,
        )


async def test_a_queue_is_taken_from_its_head_and_the_rest_waits_for_it(shop: Shop) -> None:
    await put(shop, "a", "b")
    queue = (shop.id, Outlet.WEBHOOK)
    assert await shop.due() == [Outlet.WEBHOOK]

    first = await shop.alerts.next(queue, NOW, hold_seconds=60)
    meanwhile = await shop.alerts.next(queue, NOW, hold_seconds=60)

    assert first is not None
    assert (first.attempt, first.outlet, meanwhile) == (1, Outlet.WEBHOOK, None)
    assert await shop.due() == []
    assert await shop.alerts.end(first, "delivered", NOW)
    second = await shop.alerts.next(queue, NOW, hold_seconds=60)
    assert second is not None
    assert second.id > first.id


async def test_a_try_of_a_killed_process_is_taken_up_again_and_its_late_word_does_not_count(
    shop: Shop,
) -> None:
    await put(shop, "a")
    queue = (shop.id, Outlet.WEBHOOK)
    killed = await shop.alerts.next(queue, NOW, hold_seconds=60)

    again = await shop.alerts.next(queue, NOW + timedelta(seconds=61), hold_seconds=60)

    assert killed
    assert again
    assert (killed.event_id, again.attempt) == (again.event_id, 2)
    assert not await shop.alerts.end(killed, "delivered", NOW)
    assert await shop.alerts.end(again, "delivered", NOW)
    assert not await shop.alerts.end(again, "dead", NOW)


async def test_what_is_old_and_done_is_forgotten_and_what_waits_is_not(shop: Shop) -> None:
    await put(shop, "a", "b")
    letter = await shop.alerts.next((shop.id, Outlet.WEBHOOK), NOW, hold_seconds=60)
    assert letter
    await shop.alerts.end(letter, "delivered", NOW)

    await shop.alerts.prune(NOW + timedelta(days=2))
    kept = await shop.value("count(*)", "deliveries")
    await shop.alerts.prune(NOW + timedelta(days=400))

    assert kept == 2
    assert await shop.value("array_agg(source)", "deliveries") == ["b"]


async def test_what_concerns_all_is_noted_for_each_active_company(
    shop: Shop, database: str
) -> None:
    sleeping = Shop(await make_company(database, active=False), shop.database, shop.look)
    other = Shop(await make_company(database), shop.database, shop.look)

    await shop.alerts.note_all("llm", {"down": True}, NOW)

    noted = [await each.noted() for each in (shop, other, sleeping)]
    assert noted == [[("llm", {"down": True})]] * 2 + [[]]


def _json(text: str) -> dict[str, Any]:
    return dict(json.loads(text))


async def test_ways_that_two_set_at_the_same_first_time_are_all_kept(shop: Shop) -> None:
    async with shop.look.transaction():
        await shop.look.execute(
            "INSERT INTO alert_settings (company_id, email) VALUES ($1, 'ana@acme.test')", shop.id
        )
        second = asyncio.create_task(set_channels(shop.id, {"events": "https://crm.acme.test/"}))
        waits = "SELECT pid FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        while not (second.done() or await shop.look.fetch(waits)):  # noqa: ASYNC110 - A row's lock.
            await asyncio.sleep(0.01)
    await second

    row = await shop.look.fetchrow("SELECT * FROM alert_settings WHERE company_id = $1", shop.id)
    assert row
    assert (row["email"], row["events"]) == ("ana@acme.test", "https://crm.acme.test/")
    assert row["events_since"] is not None
