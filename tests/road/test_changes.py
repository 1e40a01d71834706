"""What a customer changes or takes back: before the answer it counts, afterwards it is recorded."""

import asyncio
import json
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from bot.sweeper import RING_SECONDS
from models.details import media_of
from models.values import InboundMessage, Kind, MediaRef, Quote, Sender
from tests.builders import message
from tests.road.conftest import QUICK, Echo, OpenScene, Scene

PATIENT = {**QUICK["conversation"], "quiet_seconds": 0.3, "longest_seconds": 5}


def edit(old: InboundMessage, text: str, **values: Any) -> InboundMessage:
    return message(old.company_id, text, kind=Kind.EDIT, target=old.wa_id, **values)


def revoke(old: InboundMessage, **values: Any) -> InboundMessage:
    return message(old.company_id, "", kind=Kind.REVOKE, target=old.wa_id, **values)


async def states(scene: Scene, table: str = "inbox") -> list[str]:
    return await scene.rows(table, "state || coalesce(': ' || reason, '')")


async def asked(scene: Scene, echo: Echo) -> None:
    async def begun() -> bool:
        return bool(echo.asked)

    await scene.until(begun)


async def ready(scene: Scene) -> None:
    async def written() -> bool:
        return "ready" in await scene.rows("outbox")

    await scene.until(written)


async def test_an_edit_before_the_turn_is_what_is_answered(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()], conversation=PATIENT) as scene:
        first = message(scene.company, "quiero dos")
        await scene.receive(first, edit(first, "quiero tres"))
        said = await scene.arrived(1)

        assert said == ["oí: quiero tres"]
        assert await states(scene) == ["answered", "silent: changes another message"]


async def test_an_edit_during_the_answer_has_it_made_anew(open_scene: OpenScene) -> None:
    echo = Echo(seconds=0.3)
    async with open_scene(handlers=[echo]) as scene:
        first = message(scene.company, "quiero dos")
        await scene.receive(first)
        await asked(scene, echo)
        await scene.receive(edit(first, "quiero tres"))
        said = await scene.arrived(1)
        await asyncio.sleep(0.4)

        assert scene.wire.texts() == said == ["oí: quiero tres"]
        assert await scene.rows("turns") == ["answered"]


async def test_an_edit_takes_a_ready_reply_back(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        scene.wire.connected = False
        first = message(scene.company, "quiero dos")
        await scene.receive(first)
        await ready(scene)
        await scene.receive(edit(first, "quiero tres"))

        async def again() -> bool:
            return await scene.rows("outbox") == ["ready", "superseded"]

        await scene.until(again)
        scene.wire.connected = True
        await scene.road.sweeper.sweep(60)

        assert await scene.arrived(1) == ["oí: quiero tres"]


async def test_after_the_answer_an_edit_and_a_revoke_are_only_recorded(
    open_scene: OpenScene,
) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        first = message(scene.company, "quiero dos")
        await scene.receive(first)
        await scene.arrived(1)
        await scene.receive(edit(first, "quiero tres"), revoke(first))
        await asyncio.sleep(0.3)

        assert scene.wire.texts() == ["oí: quiero dos"]
        assert await scene.rows("inbox", "content") == ["", "quiero dos", "quiero tres"]
        assert await states(scene) == ["answered", *["silent: changes another message"] * 2]


async def test_a_revoke_before_the_turn_leaves_nothing_to_answer(open_scene: OpenScene) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo], conversation=PATIENT) as scene:
        first = message(scene.company, "perdón")
        await scene.receive(first, revoke(first))
        await asyncio.sleep(0.8)

        assert echo.asked == []
        assert scene.wire.texts() == []
        assert await scene.rows("turns") == []
        assert await states(scene) == [
            "silent: changes another message",
            "silent: taken back by the customer",
        ]
        assert await scene.rows("inbox", "details ->> 'was'") == ["perdón", None]


async def test_a_revoke_during_the_answer_ends_the_turn_in_silence(open_scene: OpenScene) -> None:
    echo = Echo(seconds=0.3)
    async with open_scene(handlers=[echo]) as scene:
        first = message(scene.company, "perdón")
        await scene.receive(first)
        await asked(scene, echo)
        await scene.receive(revoke(first))
        await asyncio.sleep(0.6)

        assert scene.wire.texts() == []
        assert await states(scene, "turns") == ["silent: taken back by the customer"]


async def test_a_revoke_takes_a_ready_reply_back_for_good(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        scene.wire.connected = False
        first = message(scene.company, "perdón")
        await scene.receive(first)
        await ready(scene)
        await scene.receive(revoke(first))
        scene.wire.connected = True
        await scene.road.sweeper.sweep(60)
        await asyncio.sleep(0.3)

        assert scene.wire.texts() == []
        assert await states(scene, "outbox") == ["superseded: its message was changed"]
        assert await states(scene, "turns") == ["silent: taken back by the customer"]


async def test_what_is_left_of_a_burst_is_answered_without_what_was_taken_back(
    open_scene: OpenScene,
) -> None:
    echo = Echo(seconds=0.3)
    async with open_scene(handlers=[echo], conversation=PATIENT) as scene:
        first, second = message(scene.company, "perdón"), message(scene.company, "¿precio?")
        await scene.receive(first, second)
        await asked(scene, echo)
        await scene.receive(revoke(first))
        said = await scene.arrived(1)

        assert said == ["oí: ¿precio?"]
        assert [line.text for line in echo.asked[-1].history if line.text] == []


async def test_nobody_changes_somebody_elses_message(open_scene: OpenScene) -> None:
    other = {"phone": "+13055550177", "chat": "13055550177@s.whatsapp.net"}
    async with open_scene(handlers=[Echo()], conversation=PATIENT) as scene:
        first = message(scene.company, "quiero dos")
        await scene.receive(first, edit(first, "quiero mil", **other), revoke(first, **other))

        assert await scene.arrived(1) == ["oí: quiero dos"]


async def test_a_change_of_what_we_never_got_is_only_recorded(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await scene.receive(edit(message(scene.company, "antes"), "después"))
        await asyncio.sleep(0.3)

        assert scene.wire.texts() == []
        assert await states(scene) == ["silent: changes another message"]


async def test_a_change_that_comes_twice_is_one(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()], conversation=PATIENT) as scene:
        first = message(scene.company, "uno")
        change = edit(first, "dos")
        await scene.receive(first, change, edit(first, "tres"), change)

        assert await scene.arrived(1) == ["oí: tres"]


@pytest.mark.parametrize(("change", "left"), [(edit, "dos"), (revoke, "")])
async def test_the_history_holds_the_words_as_they_are_now(
    open_scene: OpenScene, change: Any, left: str
) -> None:
    echo = Echo(seconds=0.3)
    async with open_scene(handlers=[echo]) as scene:
        first = message(scene.company, "uno")
        await scene.receive(first)
        await asked(scene, echo)
        (customer,) = await scene.rows("customers", "id")
        last = partial(scene.stores.conversations.last, scene.company, customer)
        await scene.receive(change(first, left) if left else change(first))
        await scene.road.memory.flush()
        lines = [(one.id, one.text) for one in await last() if one.sender is Sender.CUSTOMER]

        assert lines == [(first.wa_id, left)]


async def test_the_next_turn_sees_the_words_as_they_were_changed(open_scene: OpenScene) -> None:
    echo = Echo(seconds=0.3)
    async with open_scene(handlers=[echo]) as scene:
        await scene.receive(message(scene.company, "hola"))
        await scene.arrived(1)
        echo.asked.clear()
        second = message(scene.company, "uno")
        await scene.receive(second)
        await asked(scene, echo)
        await scene.receive(edit(second, "dos"))
        await scene.arrived(2)
        await scene.receive(message(scene.company, "¿y?"))
        await scene.arrived(3)

        texts = [line.text for line in echo.asked[-1].history]
        assert texts == ["hola", "oí: hola", "dos", "oí: dos"]


def hang_up(company: UUID, call: str, *, taken: bool = False) -> InboundMessage:
    """The end of a call."""
    return message(company, "", kind=Kind.HANG_UP, target=call, facts={"taken": taken})


async def test_a_call_is_answered_when_it_was_missed_and_not_while_it_rings(
    open_scene: OpenScene,
) -> None:
    async with open_scene() as scene:
        await scene.receive(message(scene.company, "", kind=Kind.CALL, wa_id="call:1"))
        await scene.road.sweeper.sweep(0)
        await asyncio.sleep(0.2)
        assert await states(scene) == ["silent: rings"]

        await scene.receive(*[hang_up(scene.company, "call:1")] * 2)

        (said,) = await scene.arrived(1)
        assert said.startswith("Vi tu llamada.")
        assert await scene.rows("turns") == ["answered"]


async def test_a_call_that_the_owner_took_is_not_answered(open_scene: OpenScene) -> None:
    async with open_scene() as scene:
        await scene.receive(
            message(scene.company, "", kind=Kind.CALL, wa_id="call:1"),
            hang_up(scene.company, "call:1", taken=True),
            hang_up(scene.company, "call:1"),  # The two of them put the phone down.
            hang_up(scene.company, "call:of-nobody"),
        )
        await scene.road.sweeper.sweep(0)
        await asyncio.sleep(0.2)

        assert await states(scene) == ["silent: the owner took the call"]
        assert await scene.rows("turns") == []


@pytest.mark.parametrize("ago", [RING_SECONDS + 1, -3600.0], ids=["rung_out", "clock_set_back"])
async def test_a_call_whose_end_nobody_told_was_missed(open_scene: OpenScene, ago: float) -> None:
    async with open_scene() as scene:
        await scene.receive(message(scene.company, "", kind=Kind.CALL, wa_id="call:1"))
        await scene.look.execute(
            "UPDATE inbox SET received_at = now() - make_interval(secs => $1)", ago
        )

        await scene.road.sweeper.sweep(0)  # The first of five looks at the calls,
        await scene.road.sweeper.sweep(0)  # and whichever comes next finds it waiting.

        (said,) = await scene.arrived(1)
        assert said.startswith("Vi tu llamada.")


async def test_what_is_written_while_it_rings_is_answered_by_itself(
    open_scene: OpenScene,
) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        await scene.receive(
            message(scene.company, "", kind=Kind.CALL, wa_id="call:1"),
            message(scene.company, "¿hola?"),
        )

        assert await scene.arrived(1) == ["oí: ¿hola?"]
        assert [line.text for line in echo.asked[0].messages] == ["¿hola?"]


async def test_who_calls_again_and_again_is_told_once(open_scene: OpenScene) -> None:
    def ring(company: UUID, number: int) -> InboundMessage:
        return message(company, "", kind=Kind.CALL, wa_id=f"call:{number}")

    async with open_scene() as scene:
        await scene.receive(*[ring(scene.company, 1)] * 3, hang_up(scene.company, "call:1"))
        (first,) = await scene.arrived(1)
        for number in range(2, 6):
            await scene.receive(ring(scene.company, number))
            await scene.receive(hang_up(scene.company, f"call:{number}"))
            await asyncio.sleep(0.1)

        async def closed() -> bool:
            return await scene.rows("turns") == ["answered", *["silent"] * 4]

        await scene.until(closed)
        assert scene.wire.texts() == [first]
        assert first.startswith("Vi tu llamada.")


async def test_a_reaction_is_kept_and_never_answered(open_scene: OpenScene) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo], limits={"messages_per_minute": 1}) as scene:
        sign = message(scene.company, "👍", kind=Kind.REACTION, target="3EB0")
        await scene.receive(sign, message(scene.company, "hola"))
        said = await scene.arrived(1)

        assert said == ["oí: hola"]
        assert await states(scene) == ["answered", "silent: a reaction"]
        assert "3EB0" in await scene.rows("inbox", "details ->> 'target'")


async def test_a_quote_reaches_the_turn_and_a_file_the_ledger(open_scene: OpenScene) -> None:
    echo = Echo()
    media = MediaRef(Kind.IMAGE, "image/jpeg", 9, "/v/x", b"k" * 32, b"p" * 32, b"s" * 32)
    async with open_scene(handlers=[echo]) as scene:
        picture = {"kind": Kind.IMAGE, "media": media, "facts": {"view_once": True}}
        await scene.receive(message(scene.company, "este", quote=Quote("3E", "¿cuál?"), **picture))
        await scene.arrived(1)
        (kept,) = await scene.rows("inbox", "details")

        assert echo.asked[-1].messages[0].quote == Quote("3E", "¿cuál?")
        assert media_of(json.loads(kept)) == media
        assert json.loads(kept)["view_once"] is True


async def test_who_edits_again_and_again_has_the_model_asked_three_times(
    open_scene: OpenScene,
) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        scene.wire.connected = False  # No answer has left when the next edit comes.
        first = message(scene.company, "quiero dos")
        await scene.receive(first)
        for times in range(1, 5):
            await scene.until(partial(asked_times, echo, min(times, 3)))
            await scene.receive(edit(first, f"quiero {times + 2}"))
        scene.wire.connected = True
        await scene.road.sweeper.sweep(60)

        assert await scene.arrived(1) == ["oí: quiero 4"]
    assert [turn.text for turn in echo.asked] == ["quiero dos", "quiero 3", "quiero 4"]


async def asked_times(echo: Echo, times: int) -> bool:
    """Whether the handler has been asked so often."""
    return len(echo.asked) >= times
