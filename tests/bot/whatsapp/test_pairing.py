import asyncio
import contextlib
import os
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from bot.config import Daemon, Settings
from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.locks import holding
from bot.whatsapp.pairing import PairEvent, pair
from bot.whatsapp.qr import qr_text
from tests.fakes.connection import SessionFile
from tests.processes import processes_about
from tests.whatsapp_server.nodes import Node
from tests.whatsapp_server.server import WhatsAppServer

NO_WAY = {"HTTPS_PROXY": "http://127.0.0.1:9"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(daemon=Daemon(state_dir=tmp_path / "state"))


@pytest.fixture
def company() -> UUID:
    return uuid4()


def files_of(settings: Settings, company: UUID) -> CompanyFiles:
    files = CompanyFiles(settings.daemon.state_dir, company)
    files.prepare()
    return files


async def everything(company: UUID, settings: Settings, environ: dict[str, str]) -> list[PairEvent]:
    return [event async for event in pair(company, settings, environ=os.environ | environ)]


async def test_without_a_way_to_whatsapp_one_sentence_says_so(
    settings: Settings, company: UUID
) -> None:
    (event,) = await everything(company, settings, NO_WAY)

    assert (event.event, event.reason) == ("failed", "unreachable")
    assert "WhatsApp cannot be reached" in event.sentence
    assert set(event.as_json()) == {"event", "reason", "sentence"}
    assert processes_about(company) == []


async def test_a_paired_company_says_so_at_once_even_while_its_session_runs(
    settings: Settings, company: UUID
) -> None:
    files = files_of(settings, company)
    SessionFile(files.session).pair("5215512345678")

    with holding(files.lock):
        (event,) = await everything(company, settings, NO_WAY)

    assert event.as_json() == {
        "event": "paired",
        "phone": "+5215512345678",
        "jid": "5215512345678:1@s.whatsapp.net",
        "already": True,
    }


async def test_a_damaged_file_makes_room_also_where_no_daemon_runs(
    settings: Settings, company: UUID
) -> None:
    files = files_of(settings, company)
    files.session.write_bytes(b"no database " * 100)

    (event,) = await everything(company, settings, NO_WAY)

    assert event.reason == "unreachable"  # It went on to ask for a code.
    assert not files.session.exists()
    assert len(list(files.session.parent.glob("*.sqlite.corrupt-*"))) == 1


async def test_a_file_that_cannot_be_read_is_told_with_what_was_seen(
    tmp_path: Path, company: UUID
) -> None:
    """Its name is longer than SQLite takes: as if another user had made it, but for root too."""
    settings = Settings(daemon=Daemon(state_dir=tmp_path.joinpath(*["x" * 100] * 6)))
    files_of(settings, company).session.touch()

    (event,) = await everything(company, settings, NO_WAY)

    assert (event.event, event.reason) == ("failed", "fault")
    assert "unable to open database file" in event.sentence


async def test_a_second_pairing_of_one_company_is_told_to_wait(
    settings: Settings, company: UUID
) -> None:
    with holding(files_of(settings, company).lock):
        (event,) = await everything(company, settings, NO_WAY)

    assert (event.event, event.reason) == ("failed", "busy")


@pytest.mark.whatsapp
async def test_the_servers_own_code_is_shown_and_can_be_drawn(
    server: WhatsAppServer, settings: Settings, company: UUID
) -> None:
    events = pair(company, settings, environ=os.environ | server.environment)
    async with contextlib.aclosing(events):
        event = await anext(events)

    assert event.event == "qr"
    assert event.code.partition("#")[2].split(",")[0] in server.unpaired
    assert event.as_json() == {"event": "qr", "code": event.code, "expires_in": 60.0}
    assert len(qr_text(event.code).splitlines()) > 20


@pytest.mark.whatsapp
async def test_an_abandoned_pairing_leaves_no_process_and_the_next_one_can_begin(
    server: WhatsAppServer, settings: Settings, company: UUID
) -> None:
    codes = []
    for _ in range(2):
        events = pair(company, settings, environ=os.environ | server.environment)
        async with contextlib.aclosing(events):
            codes.append((await anext(events)).code)
            assert len(processes_about(company)) == 1

        assert processes_about(company) == []
        with holding(files_of(settings, company).lock) as free:
            assert free
    assert len(set(codes)) == 2


@pytest.mark.whatsapp
async def test_a_scan_pairs_and_leaves_a_note_of_whose_number_it_is(
    server: WhatsAppServer, settings: Settings, company: UUID
) -> None:
    server.greets = True
    owner = server.owner("5215512345678", "111222333444555")
    seen = []
    async for event in pair(company, settings, environ=os.environ | server.environment):
        seen.append(event.event)
        if event.event == "qr":
            await server.scan(owner, event.code)
    files = files_of(settings, company)
    note = files.read_note()

    assert seen == ["qr", "linked", "paired"]
    assert note is not None
    assert (note.phone, note.platform) == ("+5215512345678", "android")
    assert files.session.stat().st_mode & 0o077 == 0
    assert processes_about(company) == []
    asked = [node.child("sync", "collection").get("name") for node in server.seen]
    assert "critical_block" in asked, "the client left before the phone had handed over its keys"
    assert server.unanswered == {}


@pytest.mark.whatsapp
async def test_a_wrong_answer_of_the_phone_is_told_as_a_refusal(
    server: WhatsAppServer, settings: Settings, company: UUID
) -> None:
    owner = server.owner("5215512345678", "111222333444555")
    events = pair(company, settings, environ=os.environ | server.environment)
    async with contextlib.aclosing(events):
        code = (await anext(events)).code
        address, _, fragment = code.partition("#")
        parts = fragment.split(",")
        parts[3] = parts[2]  # A secret that is not the one in the client's memory.
        scan = asyncio.ensure_future(server.scan(owner, f"{address}#{','.join(parts)}"))
        event = await anext(events)
        scan.cancel()
        await asyncio.gather(scan, return_exceptions=True)

    assert (event.event, event.reason) == ("failed", "refused")
    assert owner.devices == {}


@pytest.mark.whatsapp
async def test_a_server_that_refuses_the_version_is_told_as_outdated(
    server: WhatsAppServer, settings: Settings, company: UUID
) -> None:
    server.refuses_clients = Node("failure", {"reason": "405", "location": "lla"})

    (event,) = await everything(company, settings, server.environment)

    assert (event.event, event.reason) == ("failed", "client_outdated")
    assert "Upgrade LYROX" in event.sentence
