"""What the owner's phone hands to a linked device: settings, names and history."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.whatsapp.events import Ignored
from tests.bot.whatsapp.scene import LID, Scene, on_stage
from tests.whatsapp_server import contents, history
from tests.whatsapp_server.bare import HISTORY, CallFailed
from tests.whatsapp_server.signs import Sign, signs

pytestmark = pytest.mark.whatsapp

CHAT = f"{LID}@lid"


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with on_stage(tmp_path_factory.mktemp("scene"), HISTORY) as scene:
        yield scene


async def test_the_phones_name_for_the_account_lets_the_client_be_online(scene: Scene) -> None:
    await appears_as(scene, "Tienda")
    await scene.deliver(scene.owner.state.name("Tienda Roja"))
    await appears_as(scene, "Tienda Roja")


async def test_settings_that_the_client_has_no_use_for_are_taken_too(scene: Scene) -> None:
    for muted in (True, False):
        value = {"muteAction": {"muted": muted}}
        notice = scene.owner.state.put("regular_high", ["mute", CHAT], value)
        await scene.deliver(notice)

    await scene.eventually(lambda: asked(scene, "regular_high")[-1] != "0")


def asked(scene: Scene, name: str) -> list[str]:
    """The versions of a collection from which the client has asked for more."""
    asked = [one.child("sync", "collection") for one in scene.server.seen]
    return [one.get("version") or "0" for one in asked if one.get("name") == name]


async def appears_as(scene: Scene, name: str) -> None:
    """The client takes a name some time after it was told of one."""
    for _ in range(500):
        await appears(scene)
        if any(one.get("name") == name for one in scene.server.seen if one.tag == "presence"):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"the client was never online as {name}")


async def appears(scene: Scene) -> None:
    """The client is online as soon as it has any name."""
    for _ in range(500):
        with contextlib.suppress(CallFailed):
            return await scene.client.appear()
        await asyncio.sleep(0.01)
    raise AssertionError("the client was never online")


async def test_a_client_that_is_online_says_that_messages_are_delivered(scene: Scene) -> None:
    await appears(scene)
    await scene.write(contents.text("hola"), "3AC1")
    delivered = Sign("delivered", scene.ana.lid_jid, ("3AC1",))

    await scene.eventually(lambda: delivered in signs(scene.server.seen))


async def test_the_names_of_people_come_inside_the_notice(scene: Scene) -> None:
    notice = history.names(scene.server.protos, [scene.ana])
    event = await told(scene, notice, "3AD1")

    assert [(one.ID, one.pushname) for one in event.pushnames] == [(str(scene.ana.jid), "Ana")]


async def test_the_past_comes_as_a_file_that_is_deleted_once_it_is_read(scene: Scene) -> None:
    said = [(scene.ana, "3AE1", "¿siguen abiertos?")]
    event = await told(scene, history.chats(scene.server.protos, scene.server.media, said), "3AD2")
    (chat,) = event.conversations

    assert chat.ID == CHAT
    assert chat.messages[0].message.message.conversation == "¿siguen abiertos?"
    await scene.eventually(lambda: len(scene.server.media.deleted) == 1)


async def told(scene: Scene, notice: Any, wa_id: str) -> Any:
    """What the client says of a history, once it has confirmed it."""
    after = len(scene.client.hosted.said)
    await scene.deliver(scene.owner.peer(notice, wa_id=wa_id))
    raw = await scene.client.event(HISTORY, after=after)
    confirmed = Sign("hist_sync", scene.owner.jid(), (wa_id,))
    await scene.eventually(lambda: confirmed in signs(scene.server.seen))
    assert await scene.read(wa_id) == Ignored("protocol")
    return scene.protos.events.HistorySync.FromString(raw).Data
