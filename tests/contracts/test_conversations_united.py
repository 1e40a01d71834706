"""Two conversation documents of one person become one, wherever that was broken off."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.conversation_document import Summary
from models.conversations import Conversations
from models.values import Line, Sender, Stage
from tests.contracts.conversation_parts import (
    AI,
    COMPANY,
    NOON,
    Killed,
    breaking,
    customer,
    line,
)


async def _written(conversations: Conversations) -> tuple[Any, Any]:
    """A former customer, known by a LID, and the one who stays; line 3 is in both documents."""
    former, ana = customer("lid:77"), customer(stage=Stage.QUALIFIED)
    reply = replace(line(4, Sender.AGENT), ai=AI)
    await conversations.append(COMPANY, former, [line(1), line(3), reply])
    await conversations.append(COMPANY, ana, [line(2), line(3), line(5)])
    return former, ana


async def test_the_lines_of_both_are_there_once_in_the_order_of_time(
    conversations: Conversations, documents: Any
) -> None:
    former, ana = await _written(conversations)

    assert await conversations.unite(COMPANY, former.id, ana)

    [found] = documents.find()
    assert [said["id"] for said in found["messages"]] == [f"wa-{n}" for n in range(1, 6)]
    assert found["messages"][3]["aiMetadata"]["model"] == AI.model
    assert (found["messageCount"], found["lastInteraction"]) == (5, NOON + timedelta(seconds=5))
    assert (found["customerId"], found["customerPhone"]) == (str(ana.id), ana.phone)
    assert found["stage"] == "qualified"


async def test_one_who_has_no_document_yet_gets_that_of_the_former(
    conversations: Conversations, documents: Any
) -> None:
    former, ana = customer("lid:77"), customer()
    await conversations.append(COMPANY, former, [line(1)])
    begun = documents.find_one()["createdAt"]

    assert await conversations.unite(COMPANY, former.id, ana)

    [found] = documents.find()
    assert (found["customerId"], found["messageCount"]) == (str(ana.id), 1)
    assert found["createdAt"] == begun


async def test_nothing_to_unite_is_united(conversations: Conversations, documents: Any) -> None:
    assert await conversations.unite(COMPANY, customer().id, customer())
    assert list(documents.find()) == []


async def test_tags_of_both_stay_and_the_newer_summary(
    conversations: Conversations, documents: Any
) -> None:
    former, ana = await _written(conversations)
    await conversations.set_tags(COMPANY, former.id, ["a", "b"])
    await conversations.set_tags(COMPANY, ana.id, ["b", "c"])
    await conversations.summarise(COMPANY, ana.id, Summary(("old",), "wait", "neutral"))
    await asyncio.sleep(0.002)  # MongoDB keeps milliseconds.
    await conversations.summarise(COMPANY, former.id, Summary(("new",), "call", "positive"))

    await conversations.unite(COMPANY, former.id, ana)

    [found] = documents.find()
    assert sorted(found["tags"]) == ["a", "b", "c"]
    assert found["summary"]["keyPoints"] == ["new"]


async def test_an_older_summary_does_not_replace_the_newer(
    conversations: Conversations, documents: Any
) -> None:
    former, ana = await _written(conversations)
    await conversations.summarise(COMPANY, former.id, Summary(("old",), "wait", "neutral"))
    await conversations.summarise(COMPANY, ana.id, Summary(("new",), "call", "positive"))

    await conversations.unite(COMPANY, former.id, ana)

    assert documents.find_one()["summary"]["keyPoints"] == ["new"]


@pytest.mark.parametrize("calls", range(5))
async def test_broken_off_after_any_call_it_is_repeated_to_the_same_end(
    conversations: Conversations, documents: Any, calls: int
) -> None:
    former, ana = await _written(conversations)
    await conversations.set_tags(COMPANY, former.id, ["a"])
    await conversations.summarise(COMPANY, former.id, Summary(("x",), "call", "positive"))
    broken = breaking(conversations, calls)

    with pytest.raises(Killed):
        await broken.unite(COMPANY, former.id, ana)
    assert await conversations.unite(COMPANY, former.id, ana)

    [found] = documents.find()
    assert [said["id"] for said in found["messages"]] == [f"wa-{n}" for n in range(1, 6)]
    assert (found["messageCount"], found["tags"]) == (5, ["a"])
    assert found["summary"]["keyPoints"] == ["x"]


async def test_a_line_that_comes_meanwhile_is_not_lost(
    conversations: Conversations, documents: Any
) -> None:
    former, ana = await _written(conversations)
    late = Line("late", NOON + timedelta(seconds=9), Sender.CUSTOMER, "hola")

    async def write() -> None:
        await conversations.append(COMPANY, former, [late])

    busy = breaking(conversations, 6, write)
    first = await busy.unite(COMPANY, former.id, ana)
    second = await conversations.unite(COMPANY, former.id, ana)

    assert (first, second) == (False, True)
    [found] = documents.find()
    assert [said["id"] for said in found["messages"]][-1] == "late"
    assert found["messageCount"] == 6


async def test_a_long_conversation_is_united_whole(
    conversations: Conversations, documents: Any
) -> None:
    former, ana = customer("lid:77"), customer()
    await conversations.append(COMPANY, former, [line(n) for n in range(0, 500, 2)])
    await conversations.append(COMPANY, ana, [line(n) for n in range(1, 500, 2)])

    assert await conversations.unite(COMPANY, former.id, ana)

    [found] = documents.find()
    assert [said["id"] for said in found["messages"]] == [f"wa-{n}" for n in range(500)]
