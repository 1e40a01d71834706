"""The oldest lines of a long conversation move to the archive, wherever that was broken off."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from models.conversation_document import MOST_LIVING
from models.conversations import Conversations
from models.errors import RetryLater
from models.values import CustomerRef, Line, Sender
from tests.contracts.conversation_parts import AI, COMPANY, Killed, breaking, customer, line

NOBODY = frozenset[str]()


@pytest.fixture
def few(conversations: Conversations) -> Conversations:
    """The same store, whose documents hold five lines at most."""
    conversations.archive.most_living = 5
    return conversations


async def _long(conversations: Conversations, count: int, phone: str = "+1") -> CustomerRef:
    ana = customer(phone)
    await conversations.append(COMPANY, ana, [line(number) for number in range(count)])
    return ana


def _ids(documents: Any, name: str = "id") -> list[str]:
    return [one[name] for one in documents.find().sort("timestamp")]


async def _all_once(documents: Any, archived: Any, count: int) -> None:
    """Every line is in the one document or in the archive, in order, and counted once."""
    [found] = documents.find()
    assert [*_ids(archived), *(said["id"] for said in found["messages"])] == [
        f"wa-{number}" for number in range(count)
    ]
    assert found["messageCount"] == count
    assert found["archivedCount"] == archived.count_documents({})


async def test_past_five_hundred_lines_the_oldest_move_and_all_count(
    conversations: Conversations, documents: Any, archived: Any
) -> None:
    ana = await _long(conversations, 720)
    assert await conversations.archive.long_ones(COMPANY) == [ana.id]

    assert await conversations.archive.shorten(COMPANY, ana.id, NOBODY) == 220

    await _all_once(documents, archived, 720)
    assert len(documents.find_one()["messages"]) == MOST_LIVING
    assert await conversations.archive.long_ones(COMPANY) == []
    assert await conversations.archive.shorten(COMPANY, ana.id, NOBODY) == 0


async def test_an_archived_line_keeps_all_that_is_known_of_it(
    few: Conversations, archived: Any
) -> None:
    ana = customer()
    first = replace(line(0, Sender.AGENT), ai=AI)
    await few.append(COMPANY, ana, [first, *map(line, range(1, 5 + 1))])

    await few.archive.shorten(COMPANY, ana.id, NOBODY)

    assert await few.archive.find(COMPANY, "wa-0") == (ana.id, first)
    assert await few.archive.find(COMPANY, "wa-3") == (ana.id, line(3))
    assert await few.archive.find(uuid4(), "wa-0") is None
    [found] = archived.find()
    assert (found["companyId"], found["customerId"]) == (str(COMPANY), str(ana.id))
    assert (found["messageId"], found["aiMetadata"]["model"]) == ("wa-0", AI.model)


async def test_a_conversation_of_five_hundred_lines_stays_whole(
    conversations: Conversations, archived: Any
) -> None:
    ana = await _long(conversations, MOST_LIVING)

    assert await conversations.archive.long_ones(COMPANY) == []
    assert await conversations.archive.shorten(COMPANY, ana.id, NOBODY) == 0
    assert archived.count_documents({}) == 0


async def test_a_line_whose_row_is_not_marked_stays(
    few: Conversations, documents: Any, archived: Any
) -> None:
    ana = await _long(few, 10)

    assert await few.archive.shorten(COMPANY, ana.id, {"wa-0", "wa-3"}) == 3

    assert _ids(archived) == ["wa-1", "wa-2", "wa-4"]
    found = documents.find_one()
    assert [said["id"] for said in found["messages"][:3]] == ["wa-0", "wa-3", "wa-5"]
    assert found["messageCount"] == 10


async def test_a_late_duplicate_never_returns(
    few: Conversations, documents: Any, archived: Any
) -> None:
    ana = await _long(few, 15)
    await few.archive.shorten(COMPANY, ana.id, NOBODY)
    between = Line("wa-new", line(3).at, Sender.CUSTOMER, "tarde")

    await few.append(COMPANY, ana, [line(0), between, line(9), line(14)], late=True)

    found = documents.find_one()
    assert [said["id"] for said in found["messages"][:2]] == ["wa-new", "wa-10"]
    assert (found["messageCount"], len(found["messages"])) == (16, 6)
    assert archived.count_documents({}) == 10


async def test_a_line_that_is_archived_while_it_comes_late_never_returns(
    few: Conversations, documents: Any, archived: Any
) -> None:
    ana = await _long(few, 15)

    async def shorten() -> None:
        await few.archive.shorten(COMPANY, ana.id, NOBODY)

    racing = breaking(few, 1, shorten)  # After it looked, before it writes.
    await racing.append(COMPANY, ana, [line(0), line(15)], late=True)

    await _all_once(documents, archived, 16)


async def test_broken_off_after_any_call_it_goes_on_to_the_same_end(
    few: Conversations, documents: Any, archived: Any
) -> None:
    for calls in range(6):
        ana = await _long(few, 25)

        with pytest.raises(Killed):
            await breaking(few, calls).archive.shorten(COMPANY, ana.id, NOBODY)
        await few.append(COMPANY, ana, [line(0), line(19)], late=True)
        await few.archive.shorten(COMPANY, ana.id, NOBODY)

        await _all_once(documents, archived, 25)
        documents.delete_many({})
        archived.delete_many({})


async def test_two_that_shorten_at_once_move_each_line_once(
    few: Conversations, documents: Any, archived: Any
) -> None:
    ana = await _long(few, 15)

    async def shorten() -> None:
        await few.archive.shorten(COMPANY, ana.id, NOBODY)

    # Between the other's copy and its removal.
    await breaking(few, 4, shorten).archive.shorten(COMPANY, ana.id, NOBODY)

    await _all_once(documents, archived, 15)


async def test_one_id_of_two_customers_is_two_lines(few: Conversations, archived: Any) -> None:
    ana = await _long(few, 6)
    eva = await _long(few, 6, "+2")

    for one in (ana, eva):
        await few.archive.shorten(COMPANY, one.id, NOBODY)
        await few.append(COMPANY, one, [line(0)], late=True)

    assert {(one["messageId"], one["customerId"]) for one in archived.find()} == {
        ("wa-0", str(ana.id)),
        (f"wa-0#{eva.id}", str(eva.id)),
    }
    assert len(await few.last(COMPANY, eva.id, 1000)) == 5


async def test_an_id_that_another_customer_takes_in_this_moment_loses_no_line(
    few: Conversations, archived: Any
) -> None:
    ana, eva = await _long(few, 6), await _long(few, 6, "+2")

    async def first() -> None:
        await few.archive.shorten(COMPANY, eva.id, NOBODY)

    with pytest.raises(RetryLater):  # Between the look and the copy.
        await breaking(few, 2, first).archive.shorten(COMPANY, ana.id, NOBODY)
    await few.archive.shorten(COMPANY, ana.id, NOBODY)

    assert {one["customerId"] for one in archived.find()} == {str(ana.id), str(eva.id)}


async def test_another_companys_lines_are_neither_moved_nor_in_the_way(
    few: Conversations, archived: Any
) -> None:
    ana, other = await _long(few, 6), uuid4()
    await few.append(other, ana, [line(number) for number in range(6)])

    await few.archive.shorten(COMPANY, ana.id, NOBODY)

    assert [one["companyId"] for one in archived.find()] == [str(COMPANY)]
    await few.archive.shorten(other, ana.id, NOBODY)
    assert _ids(archived, "messageId") == ["wa-0", "wa-0"]


async def test_the_search_for_long_conversations_reads_no_others(
    conversations: Conversations, documents: Any
) -> None:
    await _long(conversations, 501)
    documents.insert_many(
        {"companyId": str(COMPANY), "customerPhone": f"x{n}", "messages": []} for n in range(200)
    )

    which = {"companyId": str(COMPANY), "messages.500.id": {"$exists": True}}
    read = documents.find(which).explain()["executionStats"]["totalDocsExamined"]

    assert read == 1


async def _two_long(few: Conversations) -> tuple[CustomerRef, CustomerRef]:
    """One person in two rows, each with an archive; lines 0 and 9 came once for each."""
    former, ana = customer("lid:77"), customer()
    await few.append(COMPANY, former, [line(number) for number in (0, *range(1, 30, 2))])
    await few.append(COMPANY, ana, [line(number) for number in (*range(0, 30, 2), 29, 9)])
    for one in (former, ana):
        await few.archive.shorten(COMPANY, one.id, NOBODY)
    return former, ana


async def _united(documents: Any, archived: Any) -> None:
    [found] = documents.find()
    living = {said["id"] for said in found["messages"]}
    past = {one["id"] for one in archived.find()}
    assert living | past == {f"wa-{number}" for number in range(30)}
    assert (len(living), archived.count_documents({})) == (len(found["messages"]), len(past))
    assert (found["messageCount"], found["archivedCount"]) == (30, len(past - living))
    assert {one["customerId"] for one in archived.find()} == {found["customerId"]}


async def test_the_pasts_of_two_that_are_one_person_become_one(
    few: Conversations, documents: Any, archived: Any
) -> None:
    former, ana = await _two_long(few)

    assert await few.unite(COMPANY, former.id, ana)

    await _united(documents, archived)


async def test_uniting_pasts_is_repeated_to_the_same_end(
    few: Conversations, documents: Any, archived: Any
) -> None:
    for calls in range(0, 23, 2):
        former, ana = await _two_long(few)

        with pytest.raises(Killed):
            await breaking(few, calls).unite(COMPANY, former.id, ana)
        assert await few.unite(COMPANY, former.id, ana)

        await _united(documents, archived)
        documents.delete_many({})
        archived.delete_many({})


async def test_an_heir_without_a_document_gets_the_past_too(
    few: Conversations, documents: Any, archived: Any
) -> None:
    former, ana = await _long(few, 10, "lid:77"), customer()
    await few.archive.shorten(COMPANY, former.id, NOBODY)

    assert await few.unite(COMPANY, former.id, ana)

    await _all_once(documents, archived, 10)
    assert archived.distinct("customerId") == [str(ana.id)]


async def test_lines_that_move_while_two_are_united_are_there_once(
    few: Conversations, documents: Any, archived: Any
) -> None:
    former, ana = await _long(few, 10, "lid:77"), customer()

    async def shorten() -> None:
        await few.archive.shorten(COMPANY, former.id, NOBODY)

    first = await breaking(few, 4, shorten).unite(COMPANY, former.id, ana)
    second = await few.unite(COMPANY, former.id, ana)

    await few.archive.shorten(COMPANY, ana.id, NOBODY)  # What was copied only is taken out.
    assert (first, second) == (False, True)
    await _all_once(documents, archived, 10)


async def test_an_archive_that_cannot_keep_a_line_leaves_it_where_it_is(
    few: Conversations, documents: Any, mongo_client: Any, mongo_database: str
) -> None:
    ana = await _long(few, 10)
    mongo_client[mongo_database].command(
        "collMod", "conversations_archive", validator={"messageId": {"$ne": "wa-3"}}
    )

    with pytest.raises(RetryLater):
        await few.archive.shorten(COMPANY, ana.id, NOBODY)

    assert len(documents.find_one()["messages"]) == 10
