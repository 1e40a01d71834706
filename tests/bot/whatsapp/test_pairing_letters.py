"""Pairing by eight letters, through the real client."""

import os
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from uuid import UUID

import pytest

from bot.config import Settings
from bot.whatsapp.pairing import PairEvent, Pairing
from tests.bot.whatsapp.test_pairing import company, files_of, settings
from tests.whatsapp_server.answers import refusal
from tests.whatsapp_server.people import Owner
from tests.whatsapp_server.server import WhatsAppServer

__all__ = ["company", "settings"]

pytestmark = pytest.mark.whatsapp

NUMBER = "5215512345678"


@pytest.fixture
def owner(server: WhatsAppServer) -> Owner:
    return server.owner(NUMBER, "111222333444555")


@asynccontextmanager
async def pairing(
    server: WhatsAppServer, settings: Settings, company: UUID, phone: str = ""
) -> AsyncIterator[tuple[Pairing, AsyncGenerator[PairEvent, None]]]:
    environ = os.environ | server.environment
    made = Pairing(company, settings, phone=phone, environ=environ)
    async with aclosing(made.events()) as events:
        yield made, events


async def until(events: AsyncGenerator[PairEvent, None], wanted: str) -> PairEvent:
    async for event in events:
        if event.event == wanted:
            return event
    raise AssertionError(f"the end came before {wanted}")


async def test_eight_letters_typed_on_the_phone_pair_it(
    server: WhatsAppServer, settings: Settings, company: UUID, owner: Owner
) -> None:
    async with pairing(server, settings, company, NUMBER) as (_, events):
        shown = await until(events, "letters")
        await server.type_letters(owner, shown.code)
        end = await until(events, "paired")

    assert re.fullmatch(r"[A-Z0-9]{4}-[A-Z0-9]{4}", shown.code)
    assert 150 < shown.expires_in <= 160
    assert shown.as_json().keys() == {"event", "code", "phone", "expires_in"}
    assert (shown.phone, end.phone) == (NUMBER, f"+{NUMBER}")
    note = files_of(settings, company).read_note()
    assert note is not None
    assert note.phone == f"+{NUMBER}"


async def test_letters_that_whatsapp_refuses_leave_the_code_to_scan(
    server: WhatsAppServer, settings: Settings, company: UUID, owner: Owner
) -> None:
    answers = [refusal(400, "bad-request"), refusal(429, "rate-overlimit")]
    refused = []
    async with pairing(server, settings, company) as (made, events):
        code = await until(events, "qr")
        for server.refuses_letters in answers:
            made.use_letters(NUMBER)
            refused.append(await until(events, "letters_refused"))
        await server.scan(owner, code.code)
        linked = await until(events, "linked")

    assert [event.reason for event in refused] == ["no_such_number", "too_many_letters"]
    for event in refused:
        assert event.sentence.endswith(".")
        assert event.as_json().keys() == {"event", "phone", "reason", "sentence"}
    assert linked.phone == f"+{NUMBER}"
