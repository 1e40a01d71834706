"""What the status page says of the sessions: of this process, and of what was recorded."""

from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import pytest

from bot.config import Settings
from bot.status import StatusPage
from bot.whatsapp.files import Pairing
from bot.whatsapp.states import Reason, State
from models.alerts import AlertDesk
from models.database import Database, connect
from models.desk import Desk
from tests.builders import admin, make_company

AT = datetime(2026, 11, 12, 9, tzinfo=UTC)
JID = "5215512345678:1@s.whatsapp.net"


async def answers(*_: object) -> None:
    """A store that is there."""


def page(opened: Database, states: dict[UUID, State]) -> StatusPage:
    return StatusPage(
        Settings(),
        shard=0,
        desk=Desk(opened.call, opened.rows),
        alerts=AlertDesk(opened.call),
        redis=SimpleNamespace(ping=answers),  # type: ignore[arg-type] # All that is asked of it.
        conversations=SimpleNamespace(last=answers),  # type: ignore[arg-type] # As above.
        states=lambda: states,
        model="offline",
    )


@pytest.mark.parametrize(
    ("pairing", "seen"),
    [
        (Pairing(JID, "1@lid", "android", AT, AT), AT.isoformat()),
        (Pairing(JID, "1@lid", "android", AT), "unknown"),
        (None, "unknown"),
    ],
)
async def test_the_phones_last_sign_is_shown_or_said_to_be_unknown(
    database: str, pairing: Pairing | None, seen: str
) -> None:
    company = await make_company(database)
    async with connect(database, connections=2) as opened:
        desk = Desk(opened.call, opened.rows)
        data = {"reason": "online", **(pairing.as_json() if pairing else {})}
        await desk.record_session(company, company, connected=True, phone=None, data=data)

        status = await page(opened, {company: State(Reason.ONLINE)}).status()

    assert [one["phone_seen"] for one in status["companies"]] == [seen]


async def test_a_sleeping_phone_is_a_sentence_and_the_company_still_counts_as_connected(
    database: str,
) -> None:
    company = await make_company(database)
    state = State(Reason.PHONE_ASLEEP, detail="2026-11-12")
    async with connect(database, connections=2) as opened:
        shown = page(opened, {company: state})

        status = await shown.status()

    (one,) = status["companies"]
    assert (one["state"], one["reason"]) == ("connected", "phone_asleep")
    assert "no sign of life for 10 days (2026-11-12)" in one["sentence"]
    assert shown.line().startswith("1 of 1 companies connected")


async def test_what_is_amiss_and_what_nobody_took_is_shown(database: str) -> None:
    company = await make_company(database, slug="acme")
    look = await admin(database)
    await look.execute(
        "INSERT INTO incidents (company_id, kind, began_at, told_at) VALUES ($1, 'banned', $2, $2)",
        *(company, AT),
    )
    await look.execute(
        "INSERT INTO deliveries (company_id, channel, type, source, payload, state, attempts,"
        " reason, next_try_at, created_at, ended_at) VALUES ($1, 'webhook', 'alert.begun', 's',"
        " '{}', 'dead', 290, 'answered 500', $2, $2, $2)",
        *(company, AT),
    )
    await look.close()
    async with connect(database, connections=2) as opened:
        alerts = (await page(opened, {}).status())["alerts"]

    [incident], [letter] = alerts["open"], alerts["letters"]
    assert (incident["company"], incident["kind"]) == ("acme", "banned")
    assert datetime.fromisoformat(incident["told"]) == AT
    assert (letter["company"], letter["channel"], letter["reason"]) == (
        *("acme", "webhook"),
        "answered 500",
    )
    assert (alerts["dead"], alerts["waiting"]) == (1, 0)
