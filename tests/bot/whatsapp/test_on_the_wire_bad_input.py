"""What the real client finds wrong with a company's files, and what becomes of it."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.whatsapp.locks import holder, holding
from bot.whatsapp.states import Reason
from tests.bot.whatsapp.street import House, street

pytestmark = [pytest.mark.whatsapp, pytest.mark.timeout(120)]

Houses = dict[str, House]


@pytest.fixture(scope="module")
async def houses(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Houses]:
    names = ("damaged", "gone", "held", "twice", "awake")
    async with street(tmp_path_factory.mktemp("street"), names) as houses:
        for house in houses.values():
            await house.reaches(Reason.ONLINE)
        yield houses


async def left(house: House) -> House:
    """Its company is hosted no more for now, and its lock is free."""
    house.begin()
    await house.leave()
    await house.hosted.until(event="released", company=str(house.company), after=house.mark)
    async with asyncio.timeout(5):
        while holder(house.files.lock):  # noqa: ASYNC110  # It is another process's.
            await asyncio.sleep(0.05)
    house.begin()
    return house


def tear(path: Path) -> None:
    with closing(sqlite3.connect(path)) as file:  # What is written ahead would still be whole.
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    path.write_bytes(os.urandom(size))


async def test_a_damaged_file_is_kept_aside_and_a_new_pairing_takes_its_place(
    houses: Houses,
) -> None:
    house = await left(houses["damaged"])
    tear(house.files.session)

    await house.want()
    state = await house.reaches(Reason.DAMAGED)
    (aside,) = house.files.session.parent.glob(f"{house.company}.sqlite.corrupt-*Z")
    await house.hosted.tell("leave", company=str(house.company))
    await asyncio.sleep(1.5)  # A look later.
    house.begin()
    told_before = house.files.same_boot()
    await house.pair()
    told_after = house.files.same_boot()
    await house.want()
    await house.reaches(Reason.ONLINE)
    await house.talks()

    assert aside.name in state["sentence"]
    assert (told_before, told_after) == (True, False)  # Of sends that nobody saw the end of.


async def test_a_file_that_lost_its_device_asks_for_a_pairing_and_never_dials(
    houses: Houses,
) -> None:
    house = await left(houses["gone"])
    with closing(sqlite3.connect(house.files.session)) as file:
        file.execute("DELETE FROM whatsmeow_device")
        file.commit()
    logins = house.owner.logins

    await house.want()
    state = await house.reaches(Reason.LOGGED_OUT)
    await asyncio.sleep(0.5)

    assert "lyrox pair" in state["sentence"]
    assert house.owner.logins == logins


async def test_a_file_that_another_process_holds_is_waited_for(houses: Houses) -> None:
    house = await left(houses["held"])
    logins = house.owner.logins

    with holding(house.files.lock, "a copy made") as ours:
        assert ours
        await house.want()
        state = await house.reaches(Reason.FILE_HELD)
        assert house.owner.logins == logins
    await house.reaches(Reason.ONLINE)
    await house.talks()

    assert f"a copy made by process {os.getpid()}" in state["sentence"]


async def test_a_second_phone_of_a_number_is_unlinked_and_nothing_it_got_is_taken(
    houses: Houses,
) -> None:
    house = await left(houses["twice"])
    other = f"{house.owner.number}:40@s.whatsapp.net"
    await house.hosted.tell("occupy", phone=f"+{house.owner.number}", device=other)
    stanza = house.customer.write(house.owner, "para la otra", wa_id="3AOTHER")
    await house.server.deliver(house.owner, stanza)

    await house.want()
    await house.reaches(Reason.NUMBER_IN_USE)
    await house.loses_its_device()
    await asyncio.sleep(1.5)  # A look later.

    assert house.owner.devices == {}
    assert [state["reason"] for state in house.states()] == [Reason.NUMBER_IN_USE]
    assert "para la otra" not in [line.get("text") for line in house.hosted.said]


async def test_what_the_owner_types_is_the_phones_sign_of_life(houses: Houses) -> None:
    house = houses["awake"]
    await house.hears()
    seen = house.files.read_phone()
    stanza = house.owner.types(
        house.customer, "yo te atiendo", wa_id="3A77", protos=house.server.protos
    )
    await house.server.deliver(house.owner, stanza)
    await house.hosted.until(event="message", sender="owner", company=str(house.company))
    async with asyncio.timeout(5):
        while house.files.read_phone() is None:  # noqa: ASYNC110  # It is another process's file.
            await asyncio.sleep(0.05)

    assert seen is None


async def test_a_session_file_is_written_ahead_and_nobody_elses_to_read(houses: Houses) -> None:
    session = houses["awake"].files.session
    write_ahead = (2, 2)  # The read and write versions in SQLite's header.

    assert tuple(session.read_bytes()[18:20]) == write_ahead
    assert session.parent.stat().st_mode & 0o077 == 0
