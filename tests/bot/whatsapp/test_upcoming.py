import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.whatsapp.journal import Journal
from bot.whatsapp.upcoming import MOST, Upcoming
from tests.bot.whatsapp.conftest import COMPANY
from tests.builders import message


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


async def test_what_was_read_back_already_is_not_queued_when_its_callback_comes(
    journal: Journal,
) -> None:
    upcoming = Upcoming(journal)
    kept = replace(message(COMPANY, "hola"), journal_seq=journal.append(17, b"hola"))
    upcoming.put(kept, ())
    upcoming.put(kept, ())  # While it is held,
    await upcoming.next()
    journal.release(kept.journal_seq)
    upcoming.taken(kept)
    upcoming.settled()
    upcoming.put(kept, ())  # and after it was taken.

    async with asyncio.timeout(5):
        await upcoming.used_up()


async def test_nobody_passes_those_who_found_no_room(journal: Journal) -> None:
    upcoming = Upcoming(journal)
    kept = [
        replace(message(COMPANY, "hola"), journal_seq=journal.append(17, b"hola"))
        for _ in range(MOST + 2)
    ]
    for one in kept[:-1]:
        upcoming.put(one, ())
    await upcoming.next()

    upcoming.put(kept[-1], ())

    assert upcoming.behind
    assert [(await upcoming.next())[0] for _ in kept[1:MOST]] == kept[1:MOST]
    assert upcoming.taken(kept[0])
