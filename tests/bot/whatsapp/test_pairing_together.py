"""Several who want to pair one company, and phones that are not the one that was meant."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest

from bot.config import Settings
from bot.whatsapp import session_file
from bot.whatsapp.files import Pairing as Note
from bot.whatsapp.pairing import Decide, PairEvent, Pairing, keep
from tests.bot.whatsapp.test_pairing import company, files_of, settings
from tests.fakes.connection import SessionFile
from tests.processes import processes_about
from tests.whatsapp_server.people import Owner
from tests.whatsapp_server.server import WhatsAppServer

__all__ = ["company", "settings"]

FORMER, NUMBER = "5215500000000", "5215512345678"
Events = AsyncGenerator[PairEvent, None]


@pytest.fixture
def owner(server: WhatsAppServer) -> Owner:
    return server.owner(NUMBER, "111222333444555")


@asynccontextmanager
async def following(
    server: WhatsAppServer, settings: Settings, company: UUID, decide: Decide = keep
) -> AsyncIterator[Events]:
    environ = os.environ | server.environment
    async with aclosing(Pairing(company, settings, decide=decide, environ=environ).events()) as one:
        yield one


async def until(events: Events, *wanted: str) -> PairEvent:
    """The next event of these."""
    async for event in events:
        if event.event in wanted:
            return event
    raise AssertionError(f"the end came before any of {wanted}")


def knew(settings: Settings, company: UUID, number: str) -> None:
    """The company was paired with that number once."""
    at = datetime(2026, 9, 1, tzinfo=UTC)
    files_of(settings, company).write_note(Note(f"{number}:1@s.whatsapp.net", "", "android", at))


def noted(settings: Settings, company: UUID) -> str:
    note = files_of(settings, company).read_note()
    return note.phone if note else ""


async def refuse(_linked: PairEvent) -> str:
    return "another_number"


async def think(_linked: PairEvent) -> str:
    await asyncio.Event().wait()
    return ""


@pytest.mark.whatsapp
async def test_whoever_comes_later_sees_the_same_code_and_may_have_another_number_unlinked(
    server: WhatsAppServer, settings: Settings, company: UUID, owner: Owner
) -> None:
    knew(settings, company, FORMER)
    async with (
        following(server, settings, company, think) as first,
        following(server, settings, company, refuse) as second,
    ):
        shown = await anext(first)
        await asyncio.sleep(0.2)
        joined = await anext(second)

        assert joined.code == shown.code
        assert shown.expires_in - 30 < joined.expires_in < shown.expires_in
        assert len(processes_about(company)) == 1

        await server.scan(owner, shown.code)
        linked = await until(first, "linked")
        ends = await asyncio.gather(until(first, "failed"), until(second, "failed"))

    assert (linked.phone, linked.former) == (f"+{NUMBER}", f"+{FORMER}")
    assert linked.changes_number
    assert [end.reason for end in ends] == ["another_number"] * 2
    assert owner.devices == {}
    assert session_file.device(files_of(settings, company).session) is None
    assert noted(settings, company) == f"+{FORMER}"


@pytest.mark.whatsapp
async def test_those_who_joined_go_on_when_the_one_who_began_leaves_or_is_killed(
    server: WhatsAppServer, settings: Settings, company: UUID
) -> None:
    async with following(server, settings, company) as second:
        async with following(server, settings, company) as first:
            shown = await anext(first)
            assert (await anext(second)).code == shown.code
            (child,) = processes_about(company)
            os.kill(int(child), signal.SIGKILL)

        again = await until(second, "qr", "failed")

        assert again.event == "qr"
        assert again.code != shown.code


async def test_a_process_that_is_killed_is_told_as_a_fault_to_the_one_who_began(
    settings: Settings, company: UUID
) -> None:
    deaf = {"HTTPS_PROXY": "http://10.255.255.1:9"}  # Nobody answers there for 8 s.
    events = Pairing(company, settings, environ=os.environ | deaf).events()
    coming = asyncio.ensure_future(anext(events))
    while not (found := processes_about(company)):  # noqa: ASYNC110 - The kernel tells nobody.
        await asyncio.sleep(0.01)
    os.kill(int(found[0]), signal.SIGKILL)

    event = await coming

    await events.aclose()
    assert (event.event, event.reason) == ("failed", "fault")


@pytest.mark.slow
@pytest.mark.whatsapp
async def test_a_phone_that_nobody_decided_about_is_asked_about_again_and_may_be_unlinked_then(
    server: WhatsAppServer, settings: Settings, company: UUID, owner: Owner
) -> None:
    knew(settings, company, FORMER)
    async with following(server, settings, company, think) as events:
        await server.scan(owner, (await until(events, "qr")).code)
        await until(events, "linked")
        async with asyncio.timeout(20):
            while NUMBER not in server.online:  # noqa: ASYNC110 - The server has no such event.
                await asyncio.sleep(0.05)
    assert noted(settings, company) == f"+{FORMER}"

    async with following(server, settings, company, refuse) as events:
        linked = await anext(events)
        end = await until(events, "paired", "failed")

    assert (linked.event, linked.phone, linked.former) == ("linked", f"+{NUMBER}", f"+{FORMER}")
    assert (end.event, end.reason) == ("failed", "another_number")
    assert owner.devices == {}


async def test_a_phone_that_nobody_decided_about_may_be_kept_later(
    settings: Settings, company: UUID
) -> None:
    SessionFile(files_of(settings, company).session).pair(NUMBER)
    knew(settings, company, FORMER)

    async with aclosing(Pairing(company, settings).events()) as events:
        linked = await anext(events)
        end = await anext(events)

    assert (linked.event, linked.phone, linked.former) == ("linked", f"+{NUMBER}", f"+{FORMER}")
    assert (end.event, end.phone, end.already) == ("paired", f"+{NUMBER}", False)
    assert noted(settings, company) == f"+{NUMBER}"


async def test_the_same_number_needs_no_word(settings: Settings, company: UUID) -> None:
    SessionFile(files_of(settings, company).session).pair(NUMBER)
    knew(settings, company, NUMBER)

    async with aclosing(Pairing(company, settings, decide=refuse).events()) as events:
        end = await anext(events)

    assert (end.event, end.phone, end.already) == ("paired", f"+{NUMBER}", True)
