"""Who is typing, by the client's events, and the account that shows itself online for that."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from bot.whatsapp.callbacks import CONNECTED
from bot.whatsapp.events import MESSAGE
from bot.whatsapp.library import Protos
from bot.whatsapp.typing import FADE_SECONDS, TYPING, CustomersTyping
from bot.wire import NotSent
from tests.bot.whatsapp.conftest import MakeEvent
from tests.bot.whatsapp.test_sessions import Machine

LID, PHONE = "999888777666555@lid", "5215587654321@s.whatsapp.net"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def typing(protos: Protos, clock: Clock) -> CustomersTyping:
    return CustomersTyping(protos, clock)


def sign(protos: Protos, raw: bytes, *, on: bool = True) -> bytes:
    """Whoever sent *raw* types, or has stopped."""
    event = protos.events.ChatPresence()
    event.MessageSource.CopyFrom(protos.events.Message.FromString(raw).Info.MessageSource)
    event.State = event.COMPOSING if on else event.PAUSED
    event.Media = event.TEXT
    return bytes(event.SerializePartialToString())


def test_a_customer_types_until_they_stop(
    typing: CustomersTyping, protos: Protos, make_event: MakeEvent
) -> None:
    raw = make_event(chat=LID, alt="")

    typing.follow(TYPING, sign(protos, raw))
    begun = typing.is_typing(LID), typing.is_typing(PHONE)
    typing.follow(TYPING, sign(protos, raw, on=False))

    assert begun == (True, False)
    assert not typing.is_typing(LID)


def test_typing_fades_where_nobody_says_that_it_ended(
    typing: CustomersTyping, protos: Protos, make_event: MakeEvent, clock: Clock
) -> None:
    typing.follow(TYPING, sign(protos, make_event(chat=LID)))
    clock.now += FADE_SECONDS

    assert not typing.is_typing(LID)


def test_of_a_crowd_that_types_the_newest_thousand_are_known(
    typing: CustomersTyping, protos: Protos, make_event: MakeEvent
) -> None:
    crowd = [f"{number}@lid" for number in range(1, 1002)]
    for chat in crowd:
        typing.follow(TYPING, sign(protos, make_event(chat=chat, alt="")))

    assert [chat for chat in crowd if not typing.is_typing(chat)] == crowd[:1]


def test_a_message_that_has_come_is_typed(
    typing: CustomersTyping, protos: Protos, make_event: MakeEvent
) -> None:
    typing.follow(TYPING, sign(protos, make_event(chat=LID)))
    typing.follow(MESSAGE, make_event("listo", chat=LID))

    assert not typing.is_typing(LID)


@pytest.mark.parametrize("chat", [LID, PHONE])
def test_a_person_who_is_known_by_two_addresses_types_in_both(
    typing: CustomersTyping, protos: Protos, make_event: MakeEvent, chat: str
) -> None:
    typing.follow(MESSAGE, make_event("hola", chat=LID, alt=PHONE))
    typing.follow(TYPING, sign(protos, make_event(chat=chat, alt="")))

    assert typing.is_typing(LID)
    assert typing.is_typing(PHONE)


def test_neither_a_group_nor_broken_bytes_are_anybodys_typing(
    typing: CustomersTyping, protos: Protos, make_event: MakeEvent
) -> None:
    typing.follow(TYPING, sign(protos, make_event(chat="120363@g.us", group=True)))
    typing.follow(TYPING, b"\xff\xff")

    assert not typing.is_typing("120363@g.us")


async def test_the_account_is_shown_online_once_a_login(typing: CustomersTyping) -> None:
    shown: list[str] = []

    class Account:
        async def show_online(self) -> None:
            shown.append("online")
            if len(shown) == 1:
                raise NotSent("can't send presence without PushName set")

    with pytest.raises(NotSent):
        await typing.show_online(Account())
    assert not typing.online
    await typing.show_online(Account())
    assert typing.online
    typing.follow(CONNECTED, b"")

    assert not typing.online


async def test_a_company_that_changes_its_wish_is_connected_anew_by_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    company = machine.add()

    async with machine.running() as desk:
        await until(machine, company, [(False, 0)])
        desk.aware.add(company)
        await until(machine, company, [(False, 0), (True, 1)])
        desk.aware.clear()
        await until(machine, company, [(False, 0), (True, 1), (False, 0)])


async def until(machine: Machine, company: UUID, wanted: list[tuple[bool, int]]) -> None:
    """Wait for these connections."""
    async with asyncio.timeout(10):
        while connections(machine, company) != wanted:  # noqa: ASYNC110 - What a fake has seen.
            await asyncio.sleep(0.01)


def connections(machine: Machine, company: UUID) -> list[tuple[bool, int]]:
    """Of each connection, whether it hears who types and how often it showed the account online."""
    return [(one.hears_typing, one.online) for one in machine.connector.made.get(company, [])]
