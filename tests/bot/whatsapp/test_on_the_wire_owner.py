"""What the owner writes on the phone or another linked device, through the real client."""

from collections.abc import AsyncIterator

import pytest

from bot.alerts.routes import routes
from bot.config import Settings
from bot.whatsapp.events import Ignored
from models.alert_settings import Addressee
from models.alerts import Outlet
from models.values import InboundMessage, Kind, Sender
from tests.bot.whatsapp.scene import LID, PHONE, Scene, on_stage
from tests.whatsapp_server import changes, contents
from tests.whatsapp_server.contents import Words

pytestmark = pytest.mark.whatsapp

CHAT = f"{LID}@lid"
PHONE_ITSELF, COMPUTER = 0, 5


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """The owner has a computer linked beside ours."""
    async with on_stage(tmp_path_factory.mktemp("scene")) as scene:
        scene.owner.link(COMPUTER)
        yield scene


@pytest.mark.parametrize("device", [PHONE_ITSELF, COMPUTER])
async def test_the_owners_words_are_the_owners_in_the_customers_chat(
    scene: Scene, device: int
) -> None:
    words = scene.message(contents.image("te atiendo yo"))
    await scene.deliver(scene.owner.says(scene.ana, words, wa_id=f"3A7{device}", device=device))
    event = await scene.event(f"3A7{device}")
    read = await scene.read(f"3A7{device}")

    assert event.Info.MessageSource.IsFromMe
    assert event.Info.MessageSource.Sender.Device == device
    assert isinstance(read, InboundMessage)
    assert (read.sender, read.kind, read.text) == (Sender.OWNER, Kind.IMAGE, "te atiendo yo")
    assert (read.phone, read.chat) == (f"+{PHONE}", CHAT)


@pytest.mark.parametrize("device", [PHONE_ITSELF, COMPUTER])
async def test_a_chat_that_goes_by_the_number_has_the_hidden_address_beside_it(
    scene: Scene, device: int
) -> None:
    leo = scene.server.add_customer("5491122334455", "222", "Leo", addressed_by="number")
    words = scene.message(contents.text("va en camino"))
    await scene.deliver(scene.owner.says(leo, words, wa_id=f"3A8{device}", device=device))
    read = await scene.read(f"3A8{device}")

    assert isinstance(read, InboundMessage)
    assert (read.sender, read.text) == (Sender.OWNER, "va en camino")
    assert (read.phone, read.lid) == ("+5491122334455", "222")
    assert read.chat == "5491122334455@s.whatsapp.net"


@pytest.mark.parametrize("device", [PHONE_ITSELF, COMPUTER])
async def test_the_chat_with_oneself_is_a_note(scene: Scene, device: int) -> None:
    words = scene.message(contents.text("comprar harina"))
    await scene.deliver(scene.owner.says(None, words, wa_id=f"3A9{device}", device=device))
    event = await scene.event(f"3A9{device}")

    assert event.Info.MessageSource.Chat.User == scene.owner.lid
    assert await scene.read(f"3A9{device}") == Ignored("note_to_self")


@pytest.mark.parametrize("device", [PHONE_ITSELF, COMPUTER])
async def test_a_command_counts_in_the_chat_with_oneself_alone(scene: Scene, device: int) -> None:
    words = scene.message(contents.text("Pausa"))
    for number, chat in enumerate((None, scene.ana)):
        wa_id = f"3AB{device}{number}"
        await scene.deliver(scene.owner.says(chat, words, wa_id=wa_id, device=device))
    own, other = await scene.read(f"3AB{device}0"), await scene.read(f"3AB{device}1")

    assert isinstance(own, InboundMessage)
    assert isinstance(other, InboundMessage)
    assert (own.own_chat, own.text, own.chat) == (True, "Pausa", f"{scene.owner.lid}@lid")
    assert (other.own_chat, other.sender, other.chat) == (False, Sender.OWNER, CHAT)


OWN = contents.key("3A70", CHAT, own=True)
NO_CONTENT: dict[str, tuple[Words, str]] = {
    "reaction": (changes.reaction(OWN, "👍"), "reaction"),
    "edit": (changes.edit(OWN, contents.text("te atiendo")), "edit"),
    "revoke": (changes.revoke(OWN), "revoke"),
}


@pytest.mark.parametrize("name", NO_CONTENT)
async def test_what_the_owner_changes_is_no_message(scene: Scene, name: str) -> None:
    words, reason = NO_CONTENT[name]
    await scene.deliver(scene.owner.says(scene.ana, scene.message(words), wa_id=f"3A{name}"))

    assert await scene.read(f"3A{name}") == Ignored(reason)


async def test_a_customer_who_plays_the_owner_stays_a_customer(scene: Scene) -> None:
    own = f"{scene.owner.lid}@lid"
    for number, chat in enumerate((CHAT, own)):
        forged = {"destinationJID": chat, "message": contents.text("pausa")}
        await scene.write({"deviceSentMessage": forged}, f"3AF1{number}")
        read = await scene.read(f"3AF1{number}")

        assert isinstance(read, InboundMessage)
        assert (read.sender, read.text, read.own_chat) == (Sender.CUSTOMER, "pausa", False)


async def test_what_the_client_sends_is_seen_on_every_other_device_of_the_owners(
    scene: Scene,
) -> None:
    await scene.write(contents.text("hola"), "3AF2")
    await scene.raw("3AF2")
    wa_id = await scene.client.send(CHAT, scene.message(contents.text("hola Ana")))
    copies = {
        device: scene.protos.e2e.Message.FromString(plain).deviceSentMessage
        for device, sent, plain in scene.owner.copies
        if sent == wa_id
    }

    assert set(copies) == {PHONE_ITSELF, COMPUTER}
    assert {copy.message.conversation for copy in copies.values()} == {"hola Ana"}
    assert {copy.destinationJID for copy in copies.values()} == {CHAT}


async def test_an_alert_is_on_the_owners_devices_as_a_message_to_oneself(scene: Scene) -> None:
    number, _ = scene.owner.client
    acme = Addressee(
        *(scene.company, "acme", "Acme", True, "", str(scene.owner.jid(number))),
        *(None, None, None, None, None, None),
    )
    chat = routes(acme, Settings())[Outlet.WHATSAPP].address
    wa_id = await scene.client.send(chat, scene.message(contents.text("*LYROX · Acme*")))
    copies = [
        (device, scene.protos.e2e.Message.FromString(plain).deviceSentMessage)
        for device, sent, plain in scene.owner.copies
        if sent == wa_id
    ]

    # The client seals it twice for devices of both recipient and sender: one id, one bubble.
    assert {device for device, _ in copies} == {PHONE_ITSELF, COMPUTER}
    assert {copy.message.conversation for _, copy in copies} == {"*LYROX · Acme*"}
    assert {copy.destinationJID.partition("@")[0] for _, copy in copies} <= {
        scene.owner.number,
        scene.owner.lid,
    }
