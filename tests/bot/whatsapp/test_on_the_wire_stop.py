"""How the real client stops on lines that are dead: closing one takes it five seconds."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from bot.whatsapp.states import Reason
from tests.bot.whatsapp.street import street

pytestmark = [pytest.mark.whatsapp, pytest.mark.timeout(120)]


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
