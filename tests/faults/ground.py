"""Stores for a program that kills daemons: the shared test servers, behind valves."""

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from pymongo import MongoClient

from bot.embedded import services
from tests import databases
from tests.builders import admin
from tests.fakes.openai_server import FakeOpenAI
from tests.system import gates
from tests.system.conftest import Valves, behind, open_valves


@dataclass
class Ground:
    """What a fleet of companies stands on: empty stores, gates in them, and a language model."""

    urls: dict[str, str]
    """A ``[stores]`` section; it leads through the valves."""
    url: str
    look: asyncpg.Connection
    valves: Valves
    llm: FakeOpenAI
    history: Callable[[], list[dict[str, Any]]]


@asynccontextmanager
async def open_ground() -> AsyncIterator[Ground]:
    """Fresh databases; they go at the end, or with the next run."""
    with services(databases.ROOT, fast=True) as stores, databases.slot_of_ours() as slot:
        await databases.drop_leftovers(stores, f"test_{slot}_")
        template = await databases.template(stores)
        name = f"test_{slot}_faults"
        url = await databases.create(stores, name, template)
        try:
            async with _standing(stores, slot, url) as ground:
                yield ground
        finally:
            await databases.drop(stores, name)


@asynccontextmanager
async def _standing(stores: dict[str, str], slot: int, url: str) -> AsyncIterator[Ground]:
    name = f"faults_{slot}"
    with (
        tempfile.TemporaryDirectory(prefix="lyrox-") as sockets,
        MongoClient[dict[str, Any]](stores["mongod"], tz_aware=True) as mongo,
    ):
        mongo.drop_database(name)
        async with open_valves(stores, Path(sockets)) as valves, FakeOpenAI() as llm:
            llm.keep_log = False
            look = await admin(url)
            await gates.install(look)
            urls = behind(valves, url, stores, slot, name)
            try:
                conversations = mongo[name].conversations
                yield Ground(urls, url, look, valves, llm, lambda: list(conversations.find()))
            finally:
                await look.close()
                mongo.drop_database(name)
