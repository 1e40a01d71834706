"""Lines of many conversations that are remembered in the same moment."""

import asyncio
from dataclasses import replace

import pytest

from models.conversations import Conversations
from models.errors import GiveUp
from tests.contracts.conversation_parts import AI, COMPANY, Wiretap, customer, line


async def test_lines_of_many_customers_leave_in_one_command(
    conversations: Conversations, wiretap: Wiretap
) -> None:
    people = [customer(f"+{number}") for number in range(30)]

    await asyncio.gather(*(conversations.append(COMPANY, one, [line(1)]) for one in people))

    assert wiretap.commands == ["update"]
    for one in people:
        assert [found.id for found in await conversations.last(COMPANY, one.id)] == ["wa-1"]


async def test_a_line_that_can_never_be_kept_keeps_back_nobody_elses(
    conversations: Conversations,
) -> None:
    ana, ben, eva = customer("+1"), customer("+2"), customer("+3")
    endless = replace(line(1), ai=replace(AI, tokens_used=2**70))

    done = await asyncio.gather(
        conversations.append(COMPANY, ana, [line(1)]),
        conversations.append(COMPANY, ben, [endless]),
        conversations.append(COMPANY, eva, [line(1)]),
        return_exceptions=True,
    )

    assert done[0] is None
    assert isinstance(done[1], GiveUp)
    assert done[2] is None
    assert len(await conversations.last(COMPANY, ana.id)) == 1
    assert len(await conversations.last(COMPANY, eva.id)) == 1


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_whose_phone_went_to_somebody_makes_room_wherever_the_line_stands_among_others(
    conversations: Conversations, place: int
) -> None:
    former, present = customer("+1"), customer("+1")
    await conversations.append(COMPANY, former, [line(1)])
    crowd = [customer("+2"), customer("+3")]
    crowd.insert(place, present)

    await asyncio.gather(*(conversations.append(COMPANY, one, [line(2)]) for one in crowd))

    for one in crowd:
        assert [found.id for found in await conversations.last(COMPANY, one.id)] == ["wa-2"]
