"""How the real client stops: on lines that are dead, and with a pairing open."""

import asyncio
import os
import signal
import time
from contextlib import aclosing
from pathlib import Path
from uuid import uuid4

import pytest

from bot.config import Daemon, Settings
from bot.whatsapp.pairing import pair
from bot.whatsapp.states import Reason
from tests.bot.whatsapp.street import street
from tests.processes import processes_about
from tests.whatsapp_server.server import WhatsAppServer

pytestmark = [pytest.mark.whatsapp, pytest.mark.timeout(120)]


@pytest.mark.slow
async def test_a_stop_on_dead_lines_takes_the_time_of_one(tmp_path: Path) -> None:
    async with street(tmp_path, map(str, range(12))) as houses:
        for house in houses.values():
            await house.reaches(Reason.ONLINE)
        (first, *_) = houses.values()
        await first.hears()
        sending = {"company": str(first.company), "chat": f"{first.customer.lid}@lid"}
        first.proxy.flows.clear()
        await first.hosted.tell("send", text="a", secret=os.urandom(32).hex(), **sending)
        await asyncio.sleep(0.5)

        began = time.monotonic()
        await first.hosted.tell("stop")
        await first.hosted.until(event="stopped", seconds=30)
        took = time.monotonic() - began
        ended = await asyncio.wait_for(first.hosted.process.wait(), 20)
        first.proxy.flows.set()

    assert ended == 0
    assert took < 8


@pytest.mark.parametrize(
    ("frozen", "seconds"), [(False, 2), pytest.param(True, 8, marks=pytest.mark.slow)]
)
async def test_a_pairing_with_its_code_on_show_ends_hard(
    server: WhatsAppServer, tmp_path: Path, frozen: bool, seconds: float
) -> None:
    company = uuid4()
    settings = Settings(daemon=Daemon(state_dir=tmp_path / "state"))
    events = pair(company, settings, environ=os.environ | server.environment)
    async with aclosing(events):
        assert (await anext(events)).event == "qr"
        (child,) = processes_about(company)
        if frozen:  # It cannot even see that its parent has left.
            os.kill(int(child), signal.SIGSTOP)
        began = time.monotonic()

    assert time.monotonic() - began < seconds
    assert processes_about(company) == []
