"""How a test makes WhatsApp do each thing in the table of `bot.whatsapp.transitions`."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from bot.whatsapp.states import Reason
from tests.bot.whatsapp.street import House
from tests.whatsapp_server.faults import conflict, failure, stream_error, suspension
from tests.whatsapp_server.nodes import Node


@dataclass(frozen=True)
class Drive:
    """What is done to a connected company, and how many logins that brings.

    ``slow`` waits for the client's own timers.
    """

    act: Callable[[House], Awaitable[None]]
    logins: int = 0
    slow: bool = False


async def nothing(_house: House) -> None:
    """The login that every company begins with."""


async def close(house: House) -> None:
    """The server hangs up in order."""
    await house.line.end()


async def reset(house: House) -> None:
    """The line is cut."""
    house.line.drop()


async def end(house: House, stanza: Node) -> None:
    """The server ends the session with a word."""
    await house.line.end(stanza)


async def refuse(house: House, stanza: Node) -> None:
    """The line is cut, and logins are refused from now on."""
    house.refuse(stanza)


async def unlink(house: House) -> None:
    """The owner removes the device on the phone."""
    await house.server.unlink(house.owner)


async def refuse_after_a_pause(house: House) -> None:
    """The first login after the company was away is refused."""
    await house.leave()
    house.owner.faults.refuses = failure(401)
    await house.want()


async def say_nothing_at_login(house: House) -> None:
    """The line opens, and nothing ever comes."""
    await house.leave()
    house.owner.faults.silent = True
    await house.want()


async def take_the_device_away(house: House) -> None:
    """The device row goes while the client is between two tries."""
    house.refuse(failure(418))
    await house.reaches(Reason.FAULT)
    with closing(sqlite3.connect(house.files.session, timeout=10)) as connection:
        connection.execute("DELETE FROM whatsmeow_device")
        connection.commit()


async def cut_the_way(house: House) -> None:
    """The way looks open, and every connection through it is cut."""
    await house.leave()
    await house.move(cut=True)


async def cut_off(house: House, stanza: Node | None = None) -> None:
    """The line ends, perhaps after a word, and every new one is cut."""
    await house.leave()
    await house.move()
    await house.reaches(Reason.ONLINE)
    house.begin()
    house.proxy.cuts = True
    await house.line.end(*([stanza] if stanza else []))


async def miss_one_ping(house: House) -> None:
    """The client pings every 20 to 30 s and waits 10 s: this is one ping, and never two."""
    house.line.deaf = True
    await asyncio.sleep(42)
    house.line.deaf = False


async def fall_silent(house: House) -> None:
    """The line stays, and nothing is answered, pings neither."""
    house.line.deaf = True


async def answer_again(house: House) -> None:
    """Two pings are missed, and the next ones answered."""
    house.line.deaf = True
    await house.reaches(Reason.RECONNECTING, seconds=120)
    house.begin()
    house.line.deaf = False
    await house.reaches(Reason.ONLINE, seconds=60)


async def stay_silent(house: House) -> None:
    """The client takes a line for dead that has answered nothing for three minutes."""
    house.line.deaf = True
    await house.reaches(Reason.RECONNECTING, seconds=120)
    await house.logs_in(house.owner.logins + 1, seconds=200)


def _refusal(reason: int) -> Drive:
    return Drive(partial(refuse, stanza=failure(reason)))


def _ban(code: int, seconds: int = 1) -> Drive:
    return Drive(partial(refuse, stanza=suspension(code, seconds)))


def _end(stanza: Node) -> Drive:
    return Drive(partial(end, stanza=stanza))


DRIVES = {
    "login accepted": Drive(nothing),
    "stream error 515, then a new login": Drive(partial(end, stanza=stream_error(515)), logins=1),
    "pings unanswered for three minutes, then a new login": Drive(stay_silent, slow=True),
    "pings answered again": Drive(answer_again, slow=True),
    "one ping unanswered": Drive(miss_one_ping, slow=True),
    "two pings unanswered": Drive(fall_silent, slow=True),
    "connection closed": Drive(close),
    "connection reset": Drive(reset),
    "stream error 503": _end(stream_error(503)),
    "stream error 500": _end(stream_error(500)),
    "stream error 516": _end(stream_error(516)),
    "stream error of any other kind": _end(stream_error("", Node("xml-not-well-formed"))),
    "login failure 500": _refusal(500),
    "login failure 503": _refusal(503),
    "connection lost and no way back": Drive(cut_off),
    "device removed on the phone": Drive(unlink),
    "login failure 401": _refusal(401),
    "login failure 401 after 13 days without a connection": Drive(refuse_after_a_pause),
    "login failure 403": _refusal(403),
    "login failure 406": _refusal(406),
    **{f"login failure 402, code {code}": _ban(code) for code in (101, 102, 103, 104, 106)},
    "login failure 402, any other code": _ban(199),
    "session opened elsewhere": _end(conflict("replaced")),
    "login failure 405": _refusal(405),
    "login failure 400": _refusal(400),
    "login failure 409": _refusal(409),
    "login failure 501": _refusal(501),
    "login failure 415": _refusal(415),
    "login failure 418": _refusal(418),
    "login failure of any other number": _refusal(599),
    "login never answered": Drive(say_nothing_at_login),
    "session file without its device": Drive(take_the_device_away),
    "connection cut before the login": Drive(cut_the_way),
    # After this word the client tries once to come back, and tells nobody when it cannot.
    "stream error 515 and no way back": Drive(partial(cut_off, stanza=stream_error(515))),
}
