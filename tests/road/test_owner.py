"""What the owner writes: it takes a chat, gives it back, commands, or was no person's text."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from bot.stores import Urls
from models.companies import pause_company, set_company
from models.values import Channel, InboundMessage, Kind, Sender
from tests.builders import make_company, message
from tests.road.conftest import QUICK, Echo, OpenScene, Scene

OWN_CHAT = "5215512345678@s.whatsapp.net"
GREETING = "¡Gracias por escribir! Te respondo en un momento."


def owner(company: UUID, text: str, **values: object) -> InboundMessage:
    """What the owner types on the phone."""
    return message(company, text, sender=Sender.OWNER, **values)


def command(company: UUID, text: str, **values: object) -> InboundMessage:
    """What the owner writes to the own number."""
    return owner(company, text, chat=OWN_CHAT, phone="+5215512345678", own_chat=True, **values)


def who(number: int) -> dict[str, str]:
    """A customer's addresses."""
    return {"phone": f"+1305555{number:04}", "chat": f"1305555{number:04}@s.whatsapp.net"}


async def paused(scene: Scene, phone: str = "+13055550100") -> tuple[bool, float]:
    """Whether the chat is somebody's, and for how many minutes."""
    row = await scene.look.fetchrow(
        "SELECT (paused_until > now()) IS TRUE AS is_so,"
        " coalesce(extract(epoch FROM paused_until - now()), 0) AS seconds"
        " FROM customers WHERE phone = $1",
        phone,
    )
    return row["is_so"], round(float(row["seconds"]) / 60)


async def test_what_the_owner_wrote_silences_the_chat_and_is_in_the_history(
    open_scene: OpenScene,
) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        await scene.receive(owner(scene.company, "te hago 10 % si pagas hoy"))
        await scene.receive(message(scene.company, "¿sigue en pie?"))
        await asyncio.sleep(0.3)
        silent = (scene.wire.texts(), await paused(scene))
        await scene.receive(owner(scene.company, "#bot"))
        await scene.receive(message(scene.company, "¿hola?"))
        await scene.arrived(1)

    assert silent == ([], (True, 60))
    (turn,) = echo.asked
    said = [(line.sender, line.text) for line in turn.history]
    assert said == [
        (Sender.OWNER, "te hago 10 % si pagas hoy"),
        (Sender.CUSTOMER, "¿sigue en pie?"),
    ]


@pytest.mark.parametrize("word", ["#bot", " #BOT "])
async def test_the_owners_word_gives_a_chat_back(open_scene: OpenScene, word: str) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await scene.receive(owner(scene.company, "yo sigo"))
        before = await paused(scene)
        await scene.receive(owner(scene.company, word))

        assert before[0]
        assert not (await paused(scene))[0]
        assert "gave the chat back" in await scene.rows("inbox", "reason")


@pytest.mark.parametrize("text", ["#bot por favor", "bot", "usa #bot"])
async def test_more_than_the_word_is_the_owners_own_text(open_scene: OpenScene, text: str) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await scene.receive(owner(scene.company, text))

        assert (await paused(scene))[0]


async def test_a_customer_who_writes_the_word_changes_nothing(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await scene.receive(owner(scene.company, "yo sigo"), message(scene.company, "#bot"))

        assert (await paused(scene))[0]
        assert scene.wire.texts() == []


async def test_a_company_has_a_word_and_minutes_of_its_own(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await set_company(str(scene.company), {"resume_word": "listo", "pause_minutes": "5"})
        await scene.receive(owner(scene.company, "#bot"))
        first = await paused(scene)
        await scene.receive(owner(scene.company, "Listo"))

        assert first == (True, 5)
        assert not (await paused(scene))[0]


async def test_the_pause_is_over_by_itself(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await scene.receive(owner(scene.company, "yo sigo"))
        await scene.look.execute("UPDATE customers SET paused_until = now()")
        await scene.receive(message(scene.company, "hola"))

        assert await scene.arrived(1) == ["oí: hola"]


async def silent(scene: Scene, count: int) -> None:
    """So many messages are kept in silence because of a pause, and nothing is said."""
    reasons = await scene.rows("inbox", "coalesce(reason, '')")
    assert sum(reason.startswith("paused: ") for reason in reasons) == count
    assert scene.wire.texts() == []


async def give_back(scene: Scene, way: str) -> None:
    """The chat is the bot's again."""
    if way == "word":
        await scene.receive(owner(scene.company, "#bot"))
    elif way == "command":
        await pause_company(scene.company, False)
    await scene.look.execute("UPDATE customers SET paused_until = now() WHERE paused_until > now()")


@pytest.mark.parametrize("way", ["word", "time", "command"])
async def test_what_nobody_answered_during_the_pause_is_answered_after_it_in_one_turn(
    open_scene: OpenScene, way: str
) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        if way == "command":
            await pause_company(scene.company, True)
        else:
            await scene.receive(owner(scene.company, "yo sigo"))
        await scene.receive(message(scene.company, "¿precio?"), message(scene.company, "¿hola?"))
        await silent(scene, 2)
        await scene.road.sweeper.sweep(0)
        await asyncio.sleep(0.2)
        await silent(scene, 2)

        await give_back(scene, way)
        for _ in range(6):
            await scene.road.sweeper.sweep(0)

        assert await scene.arrived(1) == ["oí: ¿precio?\n¿hola?"]
        (turn,) = echo.asked
        assert [line.sender for line in turn.history] == [Sender.OWNER] * (way != "command")


@pytest.mark.parametrize("way", ["word", "time"])
async def test_what_the_owner_answered_is_not_answered_again(
    open_scene: OpenScene, way: str
) -> None:
    slow = Echo(seconds=0.5)
    async with open_scene(handlers=[slow]) as scene:
        await scene.receive(message(scene.company, "¿precio?"))
        await scene.until(lambda: _asked(slow))
        await scene.receive(owner(scene.company, "98 USD"), message(scene.company, "¿y el envío?"))
        await scene.receive(owner(scene.company, "gratis"))
        await asyncio.sleep(0.7)
        await silent(scene, 2)

        await give_back(scene, way)
        await scene.road.sweeper.sweep(0)
        await asyncio.sleep(0.3)

        await silent(scene, 2)


async def test_what_waited_too_long_in_a_pause_is_not_answered(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await scene.receive(owner(scene.company, "yo sigo"), message(scene.company, "¿hola?"))
        await scene.look.execute("UPDATE inbox SET received_at = now() - interval '13 hours'")

        await give_back(scene, "word")
        await scene.road.sweeper.sweep(0)
        await asyncio.sleep(0.3)

        await silent(scene, 1)


async def test_who_writes_again_after_the_pause_is_answered_once(open_scene: OpenScene) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        await scene.receive(owner(scene.company, "yo sigo"), message(scene.company, "¿precio?"))
        await give_back(scene, "time")
        await scene.receive(message(scene.company, "¿sigues ahí?"))
        assert await scene.arrived(1) == ["oí: ¿sigues ahí?"]
        for _ in range(6):
            await scene.road.sweeper.sweep(0)
        await asyncio.sleep(0.3)

        assert scene.wire.texts() == ["oí: ¿sigues ahí?"]
        assert "¿precio?" in [line.text for line in echo.asked[0].history]


async def _asked(echo: Echo) -> bool:
    return bool(echo.asked)


async def first_words(scene: Scene, number: int, text: str, *, after: float = 1.0) -> bool:
    """A new customer writes, the account sends *text* so soon; whether the chat is paused."""
    now, someone = datetime.now(UTC) - timedelta(seconds=30), who(number)
    await scene.receive(
        message(scene.company, "hola", sent_at=now, **someone),
        owner(scene.company, text, sent_at=now + timedelta(seconds=after), **someone),
    )
    return (await paused(scene, someone["phone"]))[0]


async def test_a_greeting_that_repeats_across_chats_takes_nobodys_chat(
    open_scene: OpenScene,
) -> None:
    slow = {**QUICK["conversation"], "quiet_seconds": 0.5, "longest_seconds": 0.5}
    async with open_scene(handlers=[Echo()], conversation=slow) as scene:
        seen = [await first_words(scene, number, GREETING) for number in range(3)]
        said = await scene.arrived(2)

    assert seen == [True, False, False]  # One greeting alone might be a quick owner.
    assert said == ["oí: hola"] * 2
    assert (await scene.rows("inbox", "reason")).count("automatic text") == 2


async def test_in_doubt_the_chat_stays_with_the_owner(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await first_words(scene, 1, GREETING)
        await first_words(scene, 2, GREETING)

        assert await first_words(scene, 3, GREETING, after=3.0)
        assert await first_words(scene, 4, "Hola, soy Ana")
        assert await first_words(scene, 1, GREETING)  # No first message any more.


async def test_an_automatic_text_leaves_an_older_pause_as_it_was(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await first_words(scene, 1, GREETING)
        someone = who(2)
        await scene.receive(message(scene.company, "ayer", stale=True, **someone))
        await scene.look.execute(
            "UPDATE inbox SET sent_at = now() - interval '1 day' WHERE content = 'ayer';"
            "UPDATE customers SET paused_until = now() + interval '7 minutes',"
            " pause_reason = 'command' WHERE phone LIKE '%0002'"
        )
        await first_words(scene, 2, GREETING)

        assert await paused(scene, someone["phone"]) == (True, 7)
        assert "command" in await scene.rows("customers", "pause_reason")


async def test_an_owner_message_that_comes_twice_counts_once(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        typed = owner(scene.company, "yo sigo")
        await scene.receive(typed, owner(scene.company, "#bot"), typed)

        assert not (await paused(scene))[0]


async def said_in_own_chat(scene: Scene, count: int) -> list[str]:
    """What the owner reads there."""
    said = await scene.arrived(count)
    assert {one.chat for one in scene.wire.arrived} == {OWN_CHAT}
    return said


async def test_the_owner_pauses_and_resumes_the_company_from_the_own_chat(
    open_scene: OpenScene,
) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await scene.receive(command(scene.company, "Pausa"))
        await scene.receive(message(scene.company, "hola"))
        first = await said_in_own_chat(scene, 1)
        during = await scene.rows("companies", "paused")
        await scene.receive(command(scene.company, "sigue"))
        await said_in_own_chat(scene, 2)
        await scene.receive(message(scene.company, "¿hola?"))
        await scene.arrived(3)

    assert "En pausa" in first[0]
    assert during == [True]
    assert scene.wire.texts()[2] == "oí: ¿hola?"
    assert "+5215512345678" not in await scene.rows("customers", "phone")


async def test_the_day_at_a_glance(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await scene.receive(message(scene.company, "hola"))
        await scene.arrived(1)

        async def logged() -> bool:
            return len(await scene.rows("agent_logs", "event_type")) == 1

        await scene.until(logged)
        await scene.receive(command(scene.company, "hoy"))
        said = (await scene.arrived(2))[1]

    assert "Personas que escribieron: 1" in said
    assert "Respuestas mías: 1" in said


async def test_a_command_that_comes_twice_is_answered_once(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        asked = command(scene.company, "ayuda")
        await scene.receive(asked, asked)
        said = await said_in_own_chat(scene, 1)

    assert len(said) == 1
    assert "*hoy*" in said[0]


async def test_a_command_from_yesterday_does_nothing(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await scene.receive(command(scene.company, "pausa", stale=True))
        await asyncio.sleep(0.1)

        assert await scene.rows("companies", "paused") == [False]
        assert scene.wire.texts() == []


async def test_a_command_waits_for_its_session(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        scene.wire.connected = False
        await scene.receive(command(scene.company, "pausa"))
        await asyncio.sleep(0.3)
        before = scene.wire.texts()
        scene.wire.connected = True

        assert before == []
        assert len(await said_in_own_chat(scene, 1)) == 1


async def test_commands_of_one_company_leave_another_alone(
    open_scene: OpenScene, store_urls: Urls
) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        other = await make_company(store_urls.postgres)
        await scene.receive(command(scene.company, "pausa"))
        row = await scene.look.fetchrow("SELECT paused FROM companies WHERE id = $1", other)

        assert row["paused"] is False


async def test_media_of_the_owners_takes_the_chat_too(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await scene.receive(owner(scene.company, "#bot", kind=Kind.IMAGE))

        assert (await paused(scene))[0]
        assert scene.wire.channel is Channel.WHATSAPP
