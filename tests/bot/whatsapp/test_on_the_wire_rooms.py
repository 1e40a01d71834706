"""Groups, status, broadcast lists and newsletters: nobody there is a customer."""

from collections.abc import AsyncIterator

import pytest

from bot.whatsapp.callbacks import SUBSCRIBED
from bot.whatsapp.events import Ignored
from models.values import InboundMessage
from tests.bot.whatsapp.scene import KEY, LID, Scene, on_stage
from tests.whatsapp_server import contents, rooms, signs
from tests.whatsapp_server.nodes import Jid
from tests.whatsapp_server.rooms import STATUS, Room

pytestmark = pytest.mark.whatsapp

GROUP = Jid("120363000000000001", "g.us")


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """The client hears what the daemon's hears, no more."""
    async with on_stage(tmp_path_factory.mktemp("scene"), *SUBSCRIBED) as scene:
        yield scene


@pytest.fixture(scope="module")
def group(scene: Scene) -> Room:
    return scene.server.room(GROUP, scene.owner, "Rifas", scene.ana)


@pytest.fixture(scope="module")
def status(scene: Scene) -> Room:
    return scene.server.room(STATUS, scene.owner)


async def test_a_group_is_read_with_each_authors_key_and_left_alone(
    scene: Scene, group: Room
) -> None:
    eva = scene.server.add_customer(None, "333", "Eva")
    authors = {"3AB1": scene.ana, "3AB2": eva, "3AB3": scene.ana, "3AB4": None}
    for wa_id, author in authors.items():
        words = scene.message(contents.text(f"¿cuánto? {wa_id}"))
        await scene.deliver(group.writes(author, words, wa_id=wa_id))
    said = {wa_id: await scene.event(wa_id) for wa_id in authors}
    keys = [one for one in scene.events() if one.Message.HasField(KEY)]

    assert all(one.Message.conversation == f"¿cuánto? {wa_id}" for wa_id, one in said.items())
    assert [one.Info.ID for one in keys] == ["3AB1", "3AB2", "3AB4"]
    assert said["3AB1"].Info.MessageSource.Sender.User == LID
    assert said["3AB4"].Info.MessageSource.IsFromMe
    reads = [scene.understand(one.SerializePartialToString()) for one in (*said.values(), *keys)]
    assert reads == [Ignored("not_one_to_one")] * 4 + [Ignored("empty")] * 3


async def test_a_group_tells_a_member_who_is_in_it(scene: Scene, group: Room) -> None:
    info = await scene.client.group(GROUP)

    assert info.GroupName.Name == "Rifas"
    assert [one.JID.User for one in info.Participants] == [scene.owner.lid, LID]


async def test_status_broadcast_list_and_newsletter_are_left_alone(
    scene: Scene, status: Room
) -> None:
    words = scene.message(contents.image("oferta"))
    await scene.deliver(status.writes(scene.ana, words, wa_id="3AC1"))
    await scene.deliver(rooms.broadcast(scene.owner, scene.ana, words, wa_id="3AC2"))
    await scene.deliver(rooms.newsletter("120363000000000009", words, wa_id="3AC3"))
    ids = ("3AC1", "3AC2", "3AC3")
    captions = [(await scene.event(wa_id)).Message.imageMessage.caption for wa_id in ids]

    assert captions == ["oferta"] * 3
    assert [await scene.read(wa_id) for wa_id in ids] == [Ignored("not_one_to_one")] * 3


async def test_calls_and_receipts_nobody_asked_for_do_not_end_the_clients_loop(
    scene: Scene,
) -> None:
    await scene.deliver(signs.call(scene.ana, "CALL"))
    await scene.deliver(signs.hang_up(scene.ana, "CALL"))
    for kind in ("", "read", "played", "server-error", "view", "enc_rekey_retry"):
        await scene.deliver(signs.receipt(scene.ana, "3EB1", kind=kind))
    await scene.server.tell(scene.owner, signs.typing(scene.ana))
    await scene.write(contents.text("hola"), "3AD1")

    assert isinstance(await scene.read("3AD1"), InboundMessage)
