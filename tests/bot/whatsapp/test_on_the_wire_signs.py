"""Receipts, typing and calls through the real client, both ways."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.bot.whatsapp.scene import LID, PHONE, Scene, on_stage
from tests.whatsapp_server import contents, signs
from tests.whatsapp_server.bare import CALL_OFFER, CALL_TERMINATE, CHAT_PRESENCE, RECEIPT
from tests.whatsapp_server.signs import Sign

pytestmark = pytest.mark.whatsapp

CHAT = f"{LID}@lid"


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    wanted = (RECEIPT, CHAT_PRESENCE, CALL_OFFER, CALL_TERMINATE)
    async with on_stage(tmp_path_factory.mktemp("scene"), *wanted) as scene:
        yield scene


async def test_what_the_client_marks_as_read_is_known_to_the_server(scene: Scene) -> None:
    for number in range(3):
        await scene.write(contents.text("hola"), f"3AB{number}")
    await scene.raw("3AB2")
    await scene.client.mark(CHAT, "3AB0", "3AB1", "3AB2")
    await scene.client.mark(CHAT, "3AB2", kind="played")
    expected = {
        Sign("read", scene.ana.lid_jid, ("3AB0", "3AB1", "3AB2")),
        Sign("played", scene.ana.lid_jid, ("3AB2",)),
        Sign("inactive", scene.ana.lid_jid, ("3AB1",)),
    }

    await scene.eventually(lambda: expected <= set(signs.signs(scene.server.seen)))


async def test_typing_and_recording_are_shown_and_end(scene: Scene) -> None:
    await scene.eventually(lambda: not scene.owner.unreceipted)
    before = len(signs.signs(scene.server.seen))
    await scene.client.type(CHAT)
    await scene.client.type(CHAT, voice=True)
    await scene.client.type(CHAT, on=False)
    await scene.client.mark(CHAT, "3AC1")
    expected = ["composing", "recording", "paused", "read"]

    await scene.eventually(
        lambda: [one.kind for one in signs.signs(scene.server.seen)[before:]] == expected
    )


async def test_a_customer_who_types_records_and_stops_is_seen(scene: Scene) -> None:
    states = []
    for sign in (
        signs.typing(scene.ana),
        signs.typing(scene.ana, voice=True),
        signs.typing(scene.ana, on=False),
    ):
        after = len(scene.client.hosted.said)
        await scene.server.tell(scene.owner, sign)
        raw = await scene.client.event(CHAT_PRESENCE, after=after)
        event = scene.protos.events.ChatPresence.FromString(raw)
        states.append((event.MessageSource.Chat.User, event.State, event.Media))

    presence = scene.protos.events.ChatPresence
    assert states == [
        (LID, presence.COMPOSING, presence.TEXT),
        (LID, presence.COMPOSING, presence.AUDIO),
        (LID, presence.PAUSED, presence.TEXT),
    ]


@pytest.mark.parametrize("kind", ["", "read", "played"])
async def test_a_customers_receipt_names_the_messages_it_is_about(scene: Scene, kind: str) -> None:
    after = len(scene.client.hosted.said)
    await scene.deliver(signs.receipt(scene.ana, "3EB1", "3EB2", kind=kind))
    event = scene.protos.events.Receipt.FromString(await scene.client.event(RECEIPT, after=after))

    assert list(event.MessageIDs) == ["3EB1", "3EB2"]
    assert event.MessageSource.SenderAlt.User == PHONE
    assert event.Type == {"": 1, "read": 4, "played": 6}[kind]


async def test_a_chat_that_the_owner_has_opened_on_the_phone_is_known(scene: Scene) -> None:
    after = len(scene.client.hosted.said)
    await scene.deliver(signs.read_on_phone(scene.owner, scene.ana, "3AB0"))
    event = scene.protos.events.Receipt.FromString(await scene.client.event(RECEIPT, after=after))

    assert event.MessageSource.IsFromMe
    assert event.MessageSource.Chat.User == LID


async def test_a_call_is_offered_and_terminated_with_the_same_id(scene: Scene) -> None:
    await scene.deliver(signs.call(scene.ana, "CALL1", video=True))
    offer = scene.protos.events.CallOffer.FromString(await scene.client.event(CALL_OFFER))
    await scene.deliver(signs.hang_up(scene.ana, "CALL1"))
    end = scene.protos.events.CallTerminate.FromString(await scene.client.event(CALL_TERMINATE))

    assert offer.basicCallMeta.callID == end.basicCallMeta.callID == "CALL1"
    assert offer.basicCallMeta.callCreator.User == LID
    assert offer.basicCallMeta.callCreatorAlt.User == PHONE
    assert end.reason == "timeout"
    await scene.eventually(lambda: "CALL1-offer" not in scene.owner.unreceipted)


async def test_what_a_customers_phone_could_not_read_is_sent_again_with_the_same_id(
    scene: Scene,
) -> None:
    await scene.write(contents.text("hola"), "3AD1")
    await scene.raw("3AD1")
    scene.ana.misses = 1
    wa_id = await scene.client.send(CHAT, scene.message(contents.text("98 dólares")))
    received = await asyncio.wait_for(scene.ana.inbox.get(), 50)

    assert (received.id, received.text) == (wa_id, "98 dólares")
    assert scene.ana.misses == 0
    assert scene.ana.unreadable == []
