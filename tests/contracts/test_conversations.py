"""The promises of the conversation store, kept with Motor and with PyMongo's own async driver."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient, MongoClient, monitoring

from models.conversation_document import Summary
from models.conversations import TIMEOUTS, Conversations, collection_in, open_conversations
from models.errors import RetryLater, StartupRefused, Unavailable
from models.values import AiMetadata, CustomerRef, Line, Sender, Stage

COMPANY = UUID("6B1E6F0E-6F57-4F4B-9B44-3D6C0C2A9F10")
NOON = datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
AWAY = "mongodb://%2Fnonexistent%2Fmongodb.sock"
AI = AiMetadata("a-model", 150, 1200, intent="product_inquiry", confidence=0.89)


class Wiretap(monitoring.CommandListener):
    """Counts the commands that leave the client, and the bytes of each answer."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.largest = 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.commands.append(event.command_name)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        self.largest = max(self.largest, len(str(event.reply)))

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


@pytest.fixture
def wiretap() -> Wiretap:
    return Wiretap()


@pytest.fixture(params=["motor", "pymongo"])
async def conversations(
    request: pytest.FixtureRequest, mongo_url: str, mongo_database: str, wiretap: Wiretap
) -> AsyncIterator[Conversations]:
    drivers: dict[str, Any] = {"motor": AsyncIOMotorClient, "pymongo": AsyncMongoClient}
    client = drivers[request.param](mongo_url, event_listeners=[wiretap], **TIMEOUTS)
    store = Conversations(collection_in(client, mongo_database))
    await store.ensure_indexes()
    wiretap.commands.clear()
    yield store
    closing = client.close()
    if closing is not None:
        await closing


@pytest.fixture
def documents(mongo_client: MongoClient[dict[str, Any]], mongo_database: str) -> Any:
    """What is really stored, seen by another client."""
    return mongo_client[mongo_database].conversations


def customer(phone: str = "+17865550100", **changes: Any) -> CustomerRef:
    return CustomerRef(id=uuid4(), phone=phone, name="Ana", **changes)


def line(number: int, sender: Sender = Sender.CUSTOMER, text: str = "hola") -> Line:
    return Line(f"wa-{number}", NOON + timedelta(seconds=number), sender, text)


async def test_the_document_has_the_promised_shape_word_for_word(
    conversations: Conversations, documents: Any
) -> None:
    ana = customer(stage=Stage.QUALIFIED)

    await conversations.append(
        COMPANY, ana, [line(1), replace(line(2, Sender.AGENT), ai=AI), line(3, Sender.OWNER)]
    )

    found = documents.find_one()
    assert found.pop("_id")
    assert (found.pop("createdAt"), found.pop("updatedAt")) == (
        pytest.approx(datetime.now(UTC), abs=timedelta(minutes=1)),
        pytest.approx(datetime.now(UTC), abs=timedelta(minutes=1)),
    )
    assert found == {
        "companyId": "6b1e6f0e-6f57-4f4b-9b44-3d6c0c2a9f10",
        "customerId": str(ana.id),
        "customerPhone": "+17865550100",
        "customerName": "Ana",
        "messages": [
            {
                "id": "wa-1",
                "timestamp": NOON + timedelta(seconds=1),
                "direction": "incoming",
                "sender": "customer",
                "content": "hola",
            },
            {
                "id": "wa-2",
                "timestamp": NOON + timedelta(seconds=2),
                "direction": "outgoing",
                "sender": "agent",
                "content": "hola",
                "aiMetadata": {
                    "model": "a-model",
                    "tokensUsed": 150,
                    "responseTime": 1200,
                    "intent": "product_inquiry",
                    "confidence": 0.89,
                },
            },
            {
                "id": "wa-3",
                "timestamp": NOON + timedelta(seconds=3),
                "direction": "outgoing",
                "sender": "owner",
                "content": "hola",
            },
        ],
        "stage": "qualified",
        "lastInteraction": NOON + timedelta(seconds=3),
        "messageCount": 3,
        "tags": [],
    }


async def test_the_indexes_are_the_documents_own(
    conversations: Conversations, documents: Any
) -> None:
    indexes = documents.index_information()

    assert {name: index.get("unique", False) for name, index in indexes.items()} == {
        "_id_": False,
        "companyId_1_customerId_1": False,
        "companyId_1_customerPhone_1": True,
        "companyId_1_lastInteraction_-1": False,
        "companyId_1_stage_1": False,
    }


async def test_a_plain_phone_index_becomes_the_unique_one(
    conversations: Conversations, documents: Any
) -> None:
    documents.drop_indexes()
    documents.create_index([("companyId", 1), ("customerPhone", 1)])

    await conversations.ensure_indexes()

    assert documents.index_information()["companyId_1_customerPhone_1"]["unique"]


async def test_a_line_that_comes_again_is_kept_once_and_changes_nothing(
    conversations: Conversations, documents: Any
) -> None:
    ana = customer()
    await conversations.append(COMPANY, ana, [line(1), line(2)])
    before = documents.find_one()

    await conversations.append(COMPANY, ana, [line(2), line(1), line(2)])
    await conversations.append(COMPANY, ana, [])

    assert documents.find_one() == before


async def test_a_mix_of_known_and_new_lines_adds_only_the_new_in_their_order(
    conversations: Conversations,
) -> None:
    ana = customer()
    await conversations.append(COMPANY, ana, [line(1)])

    await conversations.append(COMPANY, ana, [line(1), line(3), line(2)])

    assert [one.id for one in await conversations.last(COMPANY, ana.id)] == [
        "wa-1",
        "wa-3",
        "wa-2",
    ]


async def test_any_number_of_lines_is_one_round_trip(
    conversations: Conversations, wiretap: Wiretap
) -> None:
    await conversations.append(COMPANY, customer(), [line(number) for number in range(40)])

    assert wiretap.commands == ["update"]


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


async def test_a_late_line_does_not_turn_the_last_interaction_back(
    conversations: Conversations, documents: Any
) -> None:
    ana = customer()

    await conversations.append(COMPANY, ana, [line(9)])
    await conversations.append(COMPANY, ana, [line(1)])

    assert documents.find_one()["lastInteraction"] == line(9).at


async def test_phone_and_name_follow_the_customer_and_an_unknown_name_forgets_nothing(
    conversations: Conversations, documents: Any
) -> None:
    hidden = replace(customer("lid:123"), name=None)
    await conversations.append(COMPANY, hidden, [line(1)])
    assert documents.find_one()["customerName"] is None

    await conversations.append(COMPANY, replace(hidden, phone="+1", name="Eva"), [line(2)])
    await conversations.append(COMPANY, replace(hidden, phone="+1"), [line(3)])

    found = documents.find_one()
    assert (found["customerPhone"], found["customerName"]) == ("+1", "Eva")
    assert found["messageCount"] == 3


async def test_a_phone_that_went_to_another_customer_loses_nobodys_lines(
    conversations: Conversations,
) -> None:
    former, present = customer("+1"), customer("+1")
    await conversations.append(COMPANY, former, [line(1)])

    await conversations.append(COMPANY, present, [line(2)])

    assert [one.id for one in await conversations.last(COMPANY, former.id)] == ["wa-1"]
    assert [one.id for one in await conversations.last(COMPANY, present.id)] == ["wa-2"]


async def test_companies_do_not_see_each_others_conversations(
    conversations: Conversations, documents: Any
) -> None:
    ana, other = customer(), uuid4()

    await conversations.append(COMPANY, ana, [line(1)])
    await conversations.append(other, ana, [line(2)])

    assert [one.id for one in await conversations.last(COMPANY, ana.id)] == ["wa-1"]
    assert not await conversations.set_stage(uuid4(), ana.id, Stage.CHURNED)
    assert documents.count_documents({"stage": "churned"}) == 0


async def test_the_last_lines_come_oldest_first_with_all_that_is_known(
    conversations: Conversations,
) -> None:
    ana = customer()
    spoken = replace(line(30, Sender.AGENT), ai=AI)
    await conversations.append(COMPANY, ana, [*(line(number) for number in range(30)), spoken])

    lines = await conversations.last(COMPANY, ana.id)

    assert lines == [*(line(number) for number in range(11, 30)), spoken]
    assert await conversations.last(COMPANY, ana.id, 1) == [spoken]
    assert await conversations.last(COMPANY, ana.id, 0) == []
    assert await conversations.last(COMPANY, uuid4()) == []


async def test_reading_the_last_twenty_never_loads_the_rest(
    conversations: Conversations, documents: Any, wiretap: Wiretap
) -> None:
    ana = customer()
    await conversations.append(COMPANY, ana, [line(1)])
    old = {**documents.find_one()["messages"][0], "content": "x" * 4000}
    documents.update_one({}, {"$set": {"messages": [{**old, "id": str(n)} for n in range(2000)]}})
    await conversations.append(COMPANY, ana, [line(n) for n in range(20)])
    wiretap.commands.clear()

    lines = await conversations.last(COMPANY, ana.id)

    assert [one.id for one in lines] == [f"wa-{n}" for n in range(20)]
    assert wiretap.commands == ["find"]
    assert wiretap.largest < 10_000


async def test_a_full_document_drops_its_older_half_and_goes_on(
    conversations: Conversations, documents: Any
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
    assert found["messageCount"] == 263


@pytest.mark.parametrize("text", ["$set", "a\0b", "\ud800", "😀", "\u202eabc", "", "x" * 65536])
async def test_any_text_can_be_remembered(conversations: Conversations, text: str) -> None:
    ana = customer()

    await conversations.append(COMPANY, ana, [line(1, text=text)])

    (kept,) = await conversations.last(COMPANY, ana.id)
    assert kept.text == text.replace("\0", "").replace("\ud800", "\ufffd")


async def test_stage_tags_and_summary_can_be_set(
    conversations: Conversations, documents: Any
) -> None:
    ana = customer()
    await conversations.append(COMPANY, ana, [line(1)])
    summary = Summary(("Objetivo: perder 10kg",), "Ofrecer Plan Personalizado", "positive")

    assert await conversations.set_stage(COMPANY, ana.id, Stage.CUSTOMER)
    assert await conversations.set_tags(COMPANY, ana.id, ["interested", "hot-lead", "interested"])
    assert await conversations.summarise(COMPANY, ana.id, summary)

    found = documents.find_one()
    assert found["stage"] == "customer"
    assert found["tags"] == ["interested", "hot-lead"]
    assert isinstance(found["summary"].pop("lastUpdated"), datetime)
    assert found["summary"] == {
        "keyPoints": ["Objetivo: perder 10kg"],
        "recommendedAction": "Ofrecer Plan Personalizado",
        "sentiment": "positive",
    }
    assert found["updatedAt"] > found["createdAt"]


async def test_only_a_named_stage_moves_a_conversation_that_exists(
    conversations: Conversations, documents: Any
) -> None:
    ana = customer()
    await conversations.append(COMPANY, ana, [line(1)], stage=Stage.QUALIFIED)

    await conversations.append(COMPANY, replace(ana, stage=Stage.CHURNED), [line(2)])
    kept = documents.find_one()["stage"]
    await conversations.append(COMPANY, ana, [line(3)], stage=Stage.CUSTOMER)

    assert kept == "qualified"
    assert documents.find_one()["stage"] == "customer"


@pytest.mark.parametrize("driver", [AsyncIOMotorClient, AsyncMongoClient])
async def test_a_server_that_is_away_means_later_and_the_next_call_does_not_wait(
    driver: Any,
) -> None:
    client = driver(AWAY, serverSelectionTimeoutMS=200)
    store = Conversations(collection_in(client, "nowhere"))
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


async def test_opening_makes_the_indexes_and_works(
    mongo_url: str, mongo_database: str, documents: Any
) -> None:
    ana = customer()

    async with open_conversations(mongo_url, mongo_database) as store:
        await store.append(COMPANY, ana, [line(1)])
        assert await store.last(COMPANY, ana.id) == [line(1)]

    assert len(documents.index_information()) == 5


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
