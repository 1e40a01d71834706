"""What the conversation store does with races, full documents and an absent server."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient
from pymongo.errors import ConnectionFailure

from models.conversations import Conversations, open_conversations
from models.errors import RetryLater, StartupRefused, Unavailable
from models.mongo import REST_SECONDS, Reach, collections_in
from tests.contracts.conversation_parts import AWAY, COMPANY, customer, line


async def test_a_plain_phone_index_becomes_the_unique_one(
    conversations: Conversations, documents: Any
) -> None:
    documents.drop_indexes()
    documents.create_index([("companyId", 1), ("customerPhone", 1)])

    await conversations.ensure_indexes()

    assert documents.index_information()["companyId_1_customerPhone_1"]["unique"]


async def test_sixteen_first_appends_at_once_make_one_document_and_lose_no_line(
    conversations: Conversations, documents: Any
) -> None:
    for round_ in range(5):
        ana = customer(f"+{round_}")
        lines = [line(number) for number in range(16)]

        async with asyncio.TaskGroup() as group:
            for one in [*lines, *lines[::3]]:
                group.create_task(conversations.append(COMPANY, ana, [one]))

        found = documents.find_one({"customerId": str(ana.id)})
        assert sorted(m["id"] for m in found["messages"]) == sorted(one.id for one in lines)
        assert found["messageCount"] == 16
        assert found["lastInteraction"] == lines[-1].at
    assert documents.count_documents({}) == 5


async def test_a_phone_that_went_to_another_customer_loses_nobodys_lines(
    conversations: Conversations,
) -> None:
    former, present = customer("+1"), customer("+1")
    await conversations.append(COMPANY, former, [line(1)])

    await conversations.append(COMPANY, present, [line(2)])

    assert [one.id for one in await conversations.last(COMPANY, former.id)] == ["wa-1"]
    assert [one.id for one in await conversations.last(COMPANY, present.id)] == ["wa-2"]


async def test_a_full_document_archives_its_older_half_and_goes_on(
    conversations: Conversations, documents: Any, archived: Any
) -> None:
    ana = customer()
    await conversations.append(COMPANY, ana, [line(1)])
    old = {**documents.find_one()["messages"][0], "content": "x" * 64_000}
    full = [{**old, "id": str(number)} for number in range(261)]
    documents.update_one({}, {"$set": {"messages": full, "messageCount": 261}})

    await conversations.append(
        COMPANY, ana, [line(2, text="y" * 64_000), line(3, text="z" * 64_000)]
    )

    found = documents.find_one()
    assert [one["id"] for one in found["messages"][-3:]] == ["260", "wa-2", "wa-3"]
    assert 130 <= len(found["messages"]) <= 135
    assert len(found["messages"]) + archived.count_documents({}) == found["messageCount"] == 263


@pytest.mark.parametrize("text", ["$set", "a\0b", "\ud800", "😀", "\u202eabc", "", "x" * 65536])
async def test_any_text_can_be_remembered(conversations: Conversations, text: str) -> None:
    ana = customer()

    await conversations.append(COMPANY, ana, [line(1, text=text)])

    (kept,) = await conversations.last(COMPANY, ana.id)
    assert kept.text == text.replace("\0", "").replace("\ud800", "\ufffd")


@pytest.mark.parametrize("driver", [AsyncIOMotorClient, AsyncMongoClient])
async def test_a_server_that_is_away_means_later_and_the_next_call_does_not_wait(
    driver: Any,
) -> None:
    client = driver(AWAY, serverSelectionTimeoutMS=200)
    store = Conversations(collections_in(client, "nowhere"))
    clock = asyncio.get_running_loop().time

    with pytest.raises(RetryLater, match="does not answer"):
        await store.last(COMPANY, uuid4())
    begun = clock()
    with pytest.raises(RetryLater) as later:
        await store.append(COMPANY, customer(), [line(1)])

    assert clock() - begun < 0.1
    assert later.value.delay
    if (closing := client.close()) is not None:
        await closing


async def test_one_call_finds_out_whether_it_is_back_and_no_other_waits_for_that() -> None:
    reach, gate = Reach(), asyncio.Event()

    async def lost() -> None:
        raise ConnectionFailure("gone")

    async def asked() -> str:
        await gate.wait()
        return "back"

    with pytest.raises(RetryLater):
        await reach.ask(lost)
    await asyncio.sleep(REST_SECONDS)
    probe = asyncio.ensure_future(reach.ask(asked))
    await asyncio.sleep(0)
    with pytest.raises(RetryLater, match="a moment ago"):
        await reach.ask(asked)
    gate.set()

    assert await probe == "back"
    assert list(await asyncio.gather(reach.ask(asked), reach.ask(asked))) == ["back", "back"]


async def test_opening_makes_the_indexes_and_works(
    mongo_url: str, mongo_database: str, documents: Any
) -> None:
    ana = customer()

    async with open_conversations(mongo_url, mongo_database) as store:
        await store.append(COMPANY, ana, [line(1)])
        assert await store.last(COMPANY, ana.id) == [line(1)]

    assert len(documents.index_information()) == 6


async def test_a_server_that_is_away_is_one_sentence_at_the_start() -> None:
    with pytest.raises(Unavailable, match=r"^stores.mongo: MongoDB does not answer: .* correct"):
        async with open_conversations(f"{AWAY}/?serverSelectionTimeoutMS=200", "nowhere"):
            pass


@pytest.mark.parametrize("url", ["nonsense", "mongodb://", "mongodb://host:port"])
async def test_a_wrong_url_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(StartupRefused, match=r"^stores.mongo: not a usable MongoDB URL: "):
        async with open_conversations(url, "nowhere"):
            pass


async def test_documents_that_clash_refuse_the_start_in_one_sentence(
    mongo_url: str, mongo_database: str, documents: Any
) -> None:
    documents.insert_many([{"companyId": "a", "customerPhone": "+1"} for _ in range(2)])

    with pytest.raises(StartupRefused, match=r"^stores.mongo: MongoDB refused: .*duplicate key"):
        async with open_conversations(mongo_url, mongo_database):
            pass
