"""The conversation store on a real mongod, once with each driver."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient, MongoClient

from models.conversations import Conversations
from models.mongo import TIMEOUTS, collections_in
from tests.contracts.conversation_parts import Wiretap


@pytest.fixture
def wiretap() -> Wiretap:
    return Wiretap()


@pytest.fixture(params=["motor", "pymongo"])
async def conversations(
    request: pytest.FixtureRequest, mongo_url: str, mongo_database: str, wiretap: Wiretap
) -> AsyncIterator[Conversations]:
    drivers: dict[str, Any] = {"motor": AsyncIOMotorClient, "pymongo": AsyncMongoClient}
    client = drivers[request.param](mongo_url, event_listeners=[wiretap], **TIMEOUTS)
    store = Conversations(collections_in(client, mongo_database))
    await store.ensure_indexes()
    wiretap.commands.clear()
    yield store
    closing = client.close()
    if closing is not None:
        await closing


@pytest.fixture
def archived(mongo_client: MongoClient[dict[str, Any]], mongo_database: str) -> Any:
    """What the archive really holds."""
    return mongo_client[mongo_database].conversations_archive


@pytest.fixture
def documents(mongo_client: MongoClient[dict[str, Any]], mongo_database: str) -> Any:
    """What is really stored, seen by another client."""
    return mongo_client[mongo_database].conversations
