"""Pairings that WhatsApp does not let happen: each ends with a sentence, and leaves no process."""

import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from bot.config import Daemon, Settings
from bot.whatsapp.pairing import PairEvent, pair
from tests.processes import processes_about
from tests.whatsapp_server.connection import Connection
from tests.whatsapp_server.faults import failure
from tests.whatsapp_server.server import WhatsAppServer

pytestmark = pytest.mark.whatsapp

Act = Callable[[Connection], Coroutine[Any, Any, None]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(daemon=Daemon(state_dir=tmp_path / "state"))


async def nothing(_: Connection) -> None:
    """The code stays as it is."""


async def cut(connection: Connection) -> None:
    connection.drop()


async def attempt(
    server: WhatsAppServer, settings: Settings, company: UUID, act: Act = nothing
) -> list[PairEvent]:
    """All events of one pairing; *act* is done to the line of each code that is shown."""
    events = []
    async for event in pair(company, settings, environ=os.environ | server.environment):
        events.append(event)
        if event.event == "qr":
            ref = event.code.partition("#")[2].partition(",")[0]
            server.spawn(act(server.unpaired[ref][0]))
    return events


async def test_a_line_that_is_lost_while_the_code_is_shown_ends_the_pairing(
    server: WhatsAppServer, settings: Settings
) -> None:
    company = uuid4()

    shown, failed = await attempt(server, settings, company, cut)

    assert (shown.event, failed.event, failed.reason) == ("qr", "failed", "expired")
    assert failed.sentence.endswith("Get a new one with `lyrox pair`.")
    assert processes_about(company) == []


async def test_a_client_that_is_refused_before_any_code_is_told(
    server: WhatsAppServer, settings: Settings
) -> None:
    server.refuses_clients = failure(418)
    company = uuid4()

    (failed,) = await attempt(server, settings, company)

    assert (failed.event, failed.reason) == ("failed", "fault")
    assert processes_about(company) == []


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_server_that_shows_no_code_is_waited_for_half_a_minute(
    server: WhatsAppServer, settings: Settings
) -> None:
    server.ignores_clients = True
    company = uuid4()

    (failed,) = await attempt(server, settings, company)

    assert (failed.event, failed.reason) == ("failed", "unreachable")
    assert processes_about(company) == []


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_codes_that_nobody_scans_run_out_after_six(
    server: WhatsAppServer, settings: Settings
) -> None:
    company = uuid4()

    *shown, failed = await attempt(server, settings, company)

    assert [event.expires_in for event in shown] == [60.0, *[20.0] * 5]
    assert len({event.code for event in shown}) == 6
    assert (failed.event, failed.reason) == ("failed", "expired")
    assert processes_about(company) == []
