"""What the status page says of the sessions: of this process, and of what was recorded."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from bot.conditions import Names
from bot.config import Daemon, Settings
from bot.degraded import Degraded, Mode, Problem
from bot.questions import PATIENT_SECONDS
from bot.status import StatusPage
from bot.whatsapp.aside import aside_of
from bot.whatsapp.files import CompanyFiles, Pairing
from bot.whatsapp.journal_records import Entry
from bot.whatsapp.states import Reason, State
from models.alerts import AlertDesk
from models.database import Database, connect
from models.desk import Desk
from tests.builders import admin, make_company

AT = datetime(2026, 11, 12, 9, tzinfo=UTC)
JID = "5215512345678:1@s.whatsapp.net"


async def answers(*_: object) -> None:
    """A store that is there."""


def page(
    opened: Database, states: dict[UUID, State], *, state_dir: Path = Path("nowhere"), **more: Any
) -> StatusPage:
    return StatusPage(
        Settings(daemon=Daemon(state_dir=state_dir)),
        shard=0,
        desk=Desk(opened.call, opened.rows),
        alerts=AlertDesk(opened.call),
        redis=SimpleNamespace(ping=answers),  # type: ignore[arg-type] # All that is asked of it.
        conversations=SimpleNamespace(last=answers),  # type: ignore[arg-type] # As above.
        states=lambda: states,
        model="offline",
        **{"degraded": Degraded(), **more},
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


async def test_what_does_not_work_as_it_should_makes_it_unready_and_is_named_by_company(
    database: str, tmp_path: Path
) -> None:
    company = await make_company(database, slug="acme")

    def full(names: Names) -> Iterable[Problem]:
        yield Problem(Mode.JOURNAL, f"no room for {names(company)}")

    degraded = Degraded()
    async with connect(database, connections=2) as opened:
        shown = page(opened, {}, degraded=degraded, conditions=(full,), state_dir=tmp_path)
        hasty, before = await shown.status(), degraded.holds(Mode.JOURNAL)
        await shown.look(PATIENT_SECONDS)

    assert (hasty["ready"], hasty["problems"]) == (False, ["no room for acme"])
    assert hasty["degraded"] == [{"mode": "journal", "seconds": 0, "says": "no room for acme"}]
    assert (before, degraded.holds(Mode.JOURNAL)) == (False, True)


async def test_what_is_on_the_disk_is_shown(database: str, tmp_path: Path) -> None:
    company = await make_company(database, slug="acme")
    files = CompanyFiles(tmp_path, company)
    files.prepare()
    files.journal.mkdir()
    aside_of(tmp_path, company).keep(Entry(3, 17, b"raw"), why="KeyError", at=AT)
    async with connect(database, connections=2) as opened:
        status = await page(opened, {}, state_dir=tmp_path, unstored=lambda: 14).status()

    assert status["journal"] == 14
    assert status["set_aside"] == [{"company": "acme", "events": 1}]
    assert status["ready"]


async def test_two_looks_at_once_both_see_that_no_worker_lives() -> None:
    redis, again = asyncio.Event(), asyncio.Event()
    gates = iter((None, again))

    async def overview() -> Mapping[str, Any]:
        if (gate := next(gates)) is not None:
            await gate.wait()
        return {"companies": [], "workers": []}

    desk: Any = SimpleNamespace(overview=overview)
    page = StatusPage(
        Settings(daemon=Daemon(state_dir=Path("nowhere"), turns_here=False)),
        shard=0,
        desk=desk,
        alerts=desk,
        redis=SimpleNamespace(ping=redis.wait),  # type: ignore[arg-type] # As above.
        conversations=SimpleNamespace(last=answers),  # type: ignore[arg-type] # As above.
        states=dict,
        model="offline",
        degraded=Degraded(),
    )
    looks = []
    for _ in range(2):
        looks.append(asyncio.ensure_future(page.look(PATIENT_SECONDS)))
        for _ in range(5):
            await asyncio.sleep(0)
    redis.set()
    first, _ = await looks[0]
    again.set()
    second, _ = await looks[1]

    assert [[problem.mode for problem in each] for each in (first, second)] == 2 * [[Mode.WORKERS]]
