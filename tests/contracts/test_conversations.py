"""The promises of the conversation store, with Motor and with PyMongo's own async driver."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from models.conversation_document import Summary
from models.conversations import Conversations
from models.values import Sender, Stage
from tests.contracts.conversation_parts import AI, COMPANY, NOON, Wiretap, customer, line


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
        "too_long": False,
    }


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


async def test_a_line_that_comes_late_goes_where_it_belongs(
    conversations: Conversations, documents: Any
) -> None:
    ana = customer()
    same_time = replace(line(9), at=line(2).at)
    await conversations.append(COMPANY, ana, [line(1), line(3)])

    await conversations.append(COMPANY, ana, [line(2), line(0)], late=True)
    await conversations.append(COMPANY, ana, [same_time, line(2)], late=True)

    lines = await conversations.last(COMPANY, ana.id)
    assert [one.id for one in lines] == ["wa-0", "wa-1", "wa-2", "wa-9", "wa-3"]
    found = documents.find_one()
    assert (found["messageCount"], found["lastInteraction"]) == (5, line(3).at)


async def test_a_late_line_goes_before_those_of_its_moment_that_are_known_to_follow(
    conversations: Conversations,
) -> None:
    ana, moment = customer(), line(1).at
    second, third, other = (replace(line(number), at=moment) for number in (2, 3, 9))
    await conversations.append(COMPANY, ana, [line(0), other, second, third])
    first = replace(line(1), before=(second.id, third.id))

    await conversations.append(COMPANY, ana, [first], late=True)

    lines = await conversations.last(COMPANY, ana.id)
    assert [one.id for one in lines] == ["wa-0", "wa-9", "wa-1", "wa-2", "wa-3"]


async def test_what_a_late_line_says_is_never_taken_for_a_command(
    conversations: Conversations,
) -> None:
    ana = customer()
    dollars = replace(line(1), text="$messages cuesta $98")

    await conversations.append(COMPANY, ana, [dollars], late=True)

    (found,) = await conversations.last(COMPANY, ana.id)
    assert found == dollars


async def test_any_number_of_lines_is_one_round_trip(
    conversations: Conversations, wiretap: Wiretap
) -> None:
    await conversations.append(COMPANY, customer(), [line(number) for number in range(40)])

    assert wiretap.commands == ["update"]


async def test_lines_that_are_all_new_are_one_change(
    conversations: Conversations, wiretap: Wiretap
) -> None:
    ana = customer()
    await conversations.append(COMPANY, ana, [line(1), line(2)])
    await conversations.append(COMPANY, ana, [line(3), line(4)], stage=Stage.QUALIFIED)

    assert wiretap.changes == 2
    assert [one.id for one in await conversations.last(COMPANY, ana.id)] == [
        f"wa-{number}" for number in (1, 2, 3, 4)
    ]


async def test_a_line_that_is_named_twice_at_once_is_kept_once(
    conversations: Conversations, documents: Any
) -> None:
    await conversations.append(COMPANY, customer(), [line(1), line(2), line(1)])

    found = documents.find_one()
    assert [one["id"] for one in found["messages"]] == ["wa-1", "wa-2"]
    assert found["messageCount"] == 2


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
