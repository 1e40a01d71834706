"""The server as a program of its own: many companies paired at once, and customers that measure."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from bot.whatsapp.files import CompanyFiles
from tests.whatsapp_server.hosted import Hosted, executing, hosting

pytestmark = pytest.mark.whatsapp

COMPANIES = tuple(uuid4() for _ in range(3))


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Hosted, dict[str, str]]]:
    """The program, and the environment of its clients."""
    words = ("-m", "tests.whatsapp_server", str(folder))
    root = str(Path(__file__).parents[3])
    async with executing(*words, environment={"PYTHONPATH": root}) as server:
        opened = await server.until(event="open")
        yield server, opened["environment"]
        await server.tell("stop")
        assert await asyncio.wait_for(server.process.wait(), 5) == 0


async def echo(host: Hosted) -> None:
    """Answer everything with the words it came with, from the company it came to."""
    after = 0
    while True:
        message = await host.until(event="message", after=after, seconds=60)
        after = host.said.index(message) + 1
        words = {name: message[name] for name in ("company", "chat", "text")}
        await host.tell("send", secret=os.urandom(32).hex(), **words)


async def test_customers_of_many_companies_get_their_own_replies_and_are_counted(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path / "server") as (server, environment):
        state_dir = tmp_path / "state"
        names = [str(company) for company in COMPANIES]
        seeded = await server.do("seed", state_dir=str(state_dir), companies=names, id=1)
        async with hosting(state_dir, *COMPANIES, environment=environment) as host:
            online = await server.do("online", count=3)
            echoing = asyncio.ensure_future(echo(host))
            told = await server.do("drive", customers=2, messages=2, echoes=True, id=2)
            echoing.cancel()
            await asyncio.gather(echoing, return_exceptions=True)
            silent = await server.do(
                "drive", customers=1, text="¡hola!", reply_seconds=0.2, companies=names[:1]
            )
            figures = await server.do("figures")
            await server.do("unlink", company=names[0])
            await host.until(event="state", reason="logged_out", company=names[0])
        unknown = await server.do("unlink", company="nobody", id=9)

    note = CompanyFiles(state_dir, COMPANIES[1]).read_note()
    assert note is not None
    assert seeded["id"] == 1
    assert note.jid == seeded["value"][names[1]]["jid"]
    assert len({one["number"] for one in seeded["value"].values()}) == 3
    assert online["value"]["count"] == 3
    counts = ("replies", "lost", "wrong")
    assert [told["value"][name] for name in counts] == [12, 0, 0]
    assert told["value"]["per_second"] > 0
    assert [silent["value"][name] for name in counts] == [0, 1, 0]
    assert figures["value"]["unreadable"] == 0
    assert unknown == {"event": "answer", "id": 9, "error": "KeyError: 'nobody'"}
