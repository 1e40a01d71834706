"""The proof of one row of the table in `bot.whatsapp.transitions`, through the real client."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from bot.whatsapp.reasons import MEANINGS, Reason, WayOut
from bot.whatsapp.transitions import TABLE
from tests.bot.whatsapp.drives import DRIVES
from tests.bot.whatsapp.street import House, Office, street

ROWS = {cause: row.reason for row in TABLE.values() for cause in row.causes}
LONG_AGO = {
    "login failure 401 after 13 days without a connection": "2026-01-01T00:00:00+00:00",
}
PAIRED_IN_FULL = "device removed on the phone"
IN_A_HURRY = ", in a hurry"
Proofs = Mapping[str, asyncio.Task[None]]


@asynccontextmanager
async def proving(folder: Path, causes: Iterable[str]) -> AsyncIterator[Proofs]:
    """A company for each cause, all in one process, and the proof of its row under way.

    A server in a hurry hangs up together with its last word, so that the client may miss it, and
    comes back to hear it once more; what follows must be the same.
    """
    driven = [cause for cause in causes if cause.removesuffix(IN_A_HURRY) in DRIVES]
    async with street(folder, driven, last_connected=LONG_AGO) as houses:
        office = Office()
        for cause, house in houses.items():
            house.office = None if cause == PAIRED_IN_FULL else office
        running = {cause: asyncio.ensure_future(prove(cause, houses[cause])) for cause in driven}
        yield running
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)


async def prove(name: str, house: House) -> None:
    """What the row says comes to pass, and the company talks again in the end."""
    cause = name.removesuffix(IN_A_HURRY)
    await house.reaches(Reason.ONLINE)
    await house.hears()
    house.begin()
    if name.endswith(IN_A_HURRY):
        house.owner.faults.hurries = 2
    reason, logins = ROWS[cause], house.owner.logins
    await DRIVES[cause].act(house)
    if reason is None or reason is Reason.ONLINE:
        await house.logs_in(logins + DRIVES[cause].logins)
        await house.talks()
        return
    state = await house.reaches(reason, seconds=120 if DRIVES[cause].slow else 60)
    check_words(cause, reason, state)
    await WAYS_OUT[MEANINGS[reason].way_out](house)


def check_words(cause: str, reason: Reason, state: Mapping[str, str]) -> None:
    """The state as the document knows it, and the sentence with its next step."""
    meaning = MEANINGS[reason]
    assert state["phase"] == meaning.phase
    assert state["sentence"].startswith(meaning.en.partition("{")[0])
    assert state["sentence"].endswith(meaning.next_en)
    assert ("(until 20" in state["sentence"]) == cause.startswith("login failure 402, code")


async def comes_back(house: House) -> None:
    """Once the server is in order it is online again, by the same pairing."""
    pairing, device = house.files.read_note(), house.device()
    house.heal()
    await house.reaches(Reason.ONLINE)
    assert device is not None
    assert (house.files.read_note(), house.device()) == (pairing, device)
    await house.talks()


async def waits_for_the_owner(house: House) -> None:
    """The device is gone from the session file, nothing is tried, and a pairing ends it."""
    await house.loses_its_device()
    await rests(house)
    house.heal()
    await house.pair()
    await house.reaches(Reason.ONLINE)
    await house.talks()


async def waits_for_the_operator(house: House) -> None:
    """The device is kept and nothing is tried until the service is started again."""
    await rests(house)
    house.heal()
    assert house.device() is not None
    await house.move()
    await house.reaches(Reason.ONLINE)
    await house.talks()


async def rests(house: House) -> None:
    """For a while nothing more is said, and WhatsApp is not asked."""
    logins = house.owner.logins
    house.begin()
    await asyncio.sleep(1.5)
    assert house.states() == []
    assert house.owner.logins == logins


WAYS_OUT: Mapping[WayOut, Callable[[House], Awaitable[None]]] = {
    WayOut.BY_ITSELF: comes_back,
    WayOut.BACK_OFF: comes_back,
    WayOut.NOW_AND_THEN: comes_back,
    WayOut.WHEN_OVER: comes_back,
    WayOut.OWNER_PAIRS: waits_for_the_owner,
    WayOut.OPERATOR_ACTS: waits_for_the_operator,
}
