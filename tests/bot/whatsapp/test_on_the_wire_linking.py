"""Linking by eight letters, through the real client, and the passkey that it cannot show."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from bot.config import Daemon, Settings
from bot.whatsapp.pairing import pair
from tests.whatsapp_server.answers import refusal
from tests.whatsapp_server.bare import CONNECTED, BareClient, CallFailed, bare_client
from tests.whatsapp_server.people import Owner
from tests.whatsapp_server.server import WhatsAppServer

pytestmark = pytest.mark.whatsapp

NUMBER = "5215512345678"


@pytest.fixture
def owner(server: WhatsAppServer) -> Owner:
    return server.owner(NUMBER, "111222333444555")


@asynccontextmanager
async def unpaired(server: WhatsAppServer, folder: Path) -> AsyncIterator[BareClient]:
    """A client that shows its first code, after which letters may be asked for."""
    async with bare_client(
        folder / "state", uuid4(), CONNECTED, environment=server.environment
    ) as client:
        await client.hosted.until(event="code")
        yield client


async def test_only_the_letters_that_are_shown_link_the_client(
    server: WhatsAppServer, owner: Owner, tmp_path: Path
) -> None:
    async with unpaired(server, tmp_path) as client:
        first = await client.pair_by_code(NUMBER)
        waiting = await server.type_letters(owner, "AAAA-AAAA")
        await asyncio.wait_for(waiting.wrong.wait(), 50)
        assert owner.devices == {}
        second = await client.pair_by_code(NUMBER)
        await server.type_letters(owner, second)
        await client.hosted.until(event="login", status="success")
        await client.event(CONNECTED)

    assert first != second
    assert len(second) == 9
    assert list(owner.devices) == [1]


async def test_a_name_that_is_no_browser_is_refused_and_so_is_asking_too_often(
    server: WhatsAppServer, owner: Owner, tmp_path: Path
) -> None:
    async with unpaired(server, tmp_path) as client:
        with pytest.raises(CallFailed, match="400"):
            await client.pair_by_code(NUMBER, display="LYROX")
        server.refuses_letters = refusal(429, "rate-overlimit")
        with pytest.raises(CallFailed, match="429"):
            await client.pair_by_code(NUMBER)
        with pytest.raises(CallFailed, match="too short"):
            await client.pair_by_code("52155")


async def test_an_account_with_a_passkey_is_told_that_it_cannot_be_linked(
    server: WhatsAppServer, owner: Owner, tmp_path: Path
) -> None:
    owner.passkey = True
    settings = Settings(daemon=Daemon(state_dir=tmp_path / "state"))
    events = pair(uuid4(), settings, environ=os.environ | server.environment)
    async with aclosing(events):
        await server.scan(owner, (await anext(events)).code)
        failed = await anext(events)

    assert (failed.event, failed.reason) == ("failed", "passkey_asked")
    assert "passkey" in failed.sentence
    assert owner.devices == {}
