"""The pairing page of a real daemon: from a link to a connected phone, without a browser."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.system.town import open_town

pytestmark = [pytest.mark.whatsapp, pytest.mark.slow]


async def steps(client: ClientSession, link: str) -> AsyncGenerator[dict[str, Any], None]:
    """What a browser that follows is told."""
    async with client.get(f"{link}/events", headers={"Accept-Language": "en"}) as answer:
        async for line in answer.content:
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))


async def test_a_link_leads_to_a_connected_phone_and_whoever_joins_sees_it(
    tmp_path: Path, store_urls: dict[str, str]
) -> None:
    async with open_town(tmp_path, store_urls) as town, ClientSession() as client:
        company, slug, phone = await town.company()
        link = await town.link(slug)
        async with (
            asyncio.timeout(50),
            aclosing(steps(client, link)) as events,
            town.joined(slug) as terminal,
        ):
            while (await anext(events))["key"] != "scan-scan":
                pass
            code = (await terminal.until("qr"))["code"]
            assert code == await town.code(company)
            await town.server.scan(phone, code)
            assert (await terminal.until("paired"))["phone"] == f"+{phone.number}"
            last = [step async for step in events][-1]

        assert last["said"] == f"Done: connected as +{phone.number}"
        assert await town.state(slug) == "online"
        async with client.get(link) as answer:
            assert answer.status == 410
        _, metrics = await town.home.get("/metrics")
        assert 'lyrox_pairings_total{outcome="paired"} 1.0' in metrics
        assert 'lyrox_pairing_links_refused_total{why="used"} 1.0' in metrics
