"""Answers that come as a person's would, each company's in its own manner."""

import asyncio
from datetime import UTC, datetime, timedelta

from bot.presence import FIRST_SECONDS, TICK_SECONDS
from models.companies import set_company
from models.values import Quote, Reply, Silence
from tests.builders import message
from tests.road.conftest import Echo, OpenScene

LONG = "\n\n".join(["Te cuento con calma cómo es el plan y qué incluye. " * 5] * 3)
SLOW = FIRST_SECONDS + 2 * TICK_SECONDS


async def test_a_turn_marks_what_it_answers_and_shows_typing_while_it_thinks(
    open_scene: OpenScene,
) -> None:
    async with open_scene(handlers=[Echo(seconds=SLOW)]) as scene:
        sent = message(scene.company)
        await scene.receive(sent)
        await asyncio.sleep(0.4)
        early = (list(scene.wire.read), list(scene.wire.typed))
        await scene.arrived(1)

    assert early == ([(sent.chat, [sent.wa_id])], [])
    assert scene.wire.typed == [sent.chat]
    assert scene.wire.hidden == []


async def test_a_paused_chat_is_neither_read_nor_typed_in(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo(seconds=SLOW)]) as scene:
        await scene.look.execute("UPDATE companies SET paused = true")
        await scene.receive(message(scene.company))
        await asyncio.sleep(SLOW)

    assert scene.wire.read == []
    assert scene.wire.typed == []


async def test_a_turn_that_ends_in_silence_takes_typing_away(open_scene: OpenScene) -> None:
    echo = Echo(seconds=SLOW, says=lambda _: Silence("no", "persona"))
    async with open_scene(handlers=[echo]) as scene:
        sent = message(scene.company)
        await scene.receive(sent)
        await asyncio.sleep(SLOW + 0.5)

    assert scene.wire.typed == scene.wire.hidden == [sent.chat]


async def test_a_company_that_wants_no_signs_shows_none(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo(seconds=SLOW)]) as scene:
        await set_company(str(scene.company), {"mark_read": "no", "show_typing": "no"})
        await scene.receive(message(scene.company))
        await scene.arrived(1)

    assert scene.wire.read == []
    assert scene.wire.typed == []


async def test_a_long_reply_leaves_in_three_bubbles_or_as_the_company_says(
    open_scene: OpenScene,
) -> None:
    async with open_scene(handlers=[Echo(says=lambda _: Reply((LONG,), "persona"))]) as scene:
        await scene.receive(message(scene.company))
        three = await scene.arrived(3)
        await set_company(str(scene.company), {"reply_parts": "1"})
        await scene.receive(message(scene.company, chat="2@lid", phone="+13055550102"))
        said = await scene.arrived(4)

    assert "\n\n".join(three) == LONG.strip()
    assert said[3:] == [LONG]


async def test_a_company_has_a_pace_of_its_own(open_scene: OpenScene) -> None:
    pace = {"pace_seconds_per_character": 1.0, "pace_longest_seconds": 30.0}
    talk = {"quiet_seconds": 0, "longest_seconds": 0, **pace}
    async with open_scene(handlers=[Echo()], conversation=talk) as scene:
        await set_company(str(scene.company), {"pace_seconds": "0.2"})
        await scene.receive(message(scene.company))

        assert await scene.arrived(1) == ["oí: hola"]


async def test_a_reply_in_time_quotes_nothing_and_a_late_one_what_it_answers(
    open_scene: OpenScene,
) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        long_ago = datetime.now(UTC) - timedelta(minutes=5)
        late = message(
            scene.company, "¿precio?", sent_at=long_ago, chat="2@lid", phone="+13055550102"
        )
        await scene.receive(message(scene.company))
        await scene.arrived(1)
        await scene.receive(late)
        await scene.arrived(2)

    assert scene.wire.quoted == [None, Quote(late.wa_id, "¿precio?")]


async def test_a_late_reply_that_the_ledger_brings_back_quotes_too(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        scene.wire.connected = False
        late = message(scene.company, sent_at=datetime.now(UTC) - timedelta(minutes=5))
        await scene.receive(late)

        async def ready() -> bool:
            return await scene.rows("outbox") == ["ready"]

        await scene.until(ready)
        scene.wire.connected = True
        scene.road.delivery.kick(scene.company)
        await scene.arrived(1)

    assert scene.wire.quoted == [Quote(late.wa_id, "hola")]


async def test_a_reply_that_was_overtaken_as_often_as_may_be_quotes_what_it_answers(
    open_scene: OpenScene,
) -> None:
    async with open_scene(handlers=[Echo(seconds=0.3)]) as scene:
        for text in ("uno", "dos", "tres", "cuatro"):
            await scene.receive(message(scene.company, text))
            await asyncio.sleep(0.2)
        await scene.arrived(1)

    quote = scene.wire.quoted[0]
    assert quote is not None
    assert scene.wire.texts()[0].endswith(quote.text)


async def test_a_hand_over_lasts_as_long_as_the_company_says(open_scene: OpenScene) -> None:
    passes = Reply(("ya te paso",), "hand_over", pause_minutes=60, pause_reason="handover")
    async with open_scene(handlers=[Echo(says=lambda _: passes)]) as scene:
        await set_company(str(scene.company), {"pause_minutes": "7"})
        await scene.receive(message(scene.company))
        await scene.arrived(1)
        minutes = await scene.rows(
            "customers", "round(extract(epoch FROM paused_until - now()) / 60)::int"
        )

    assert minutes == [7]
