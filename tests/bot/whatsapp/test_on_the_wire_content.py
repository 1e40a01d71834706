"""Every kind of message through the real client, as the daemon's reader then sees it."""

import base64
import os
from collections.abc import AsyncIterator

import pytest

from bot.whatsapp.events import Ignored
from models.values import InboundMessage, Kind, Quote, Sender
from tests.bot.whatsapp.scene import LID, PHONE, Scene, on_stage
from tests.whatsapp_server import changes, contents
from tests.whatsapp_server.bare import UNDECRYPTABLE
from tests.whatsapp_server.contents import Words

pytestmark = pytest.mark.whatsapp

CHAT = f"{LID}@lid"
SECRET = os.urandom(32)
EARLIER = contents.key("3AEA", CHAT, own=True)
GROUP = "120363000000000001@g.us"

# What is sent, and what becomes of it: a kind and words, or the reason why it is no message.
VARIANTS: dict[str, tuple[Words, tuple[Kind, str] | str]] = {
    "text": (contents.text("hola"), (Kind.TEXT, "hola")),
    "link": (contents.link("mira x.mx", "x.mx", "X"), (Kind.TEXT, "mira x.mx")),
    "quoting": (
        contents.quoting("ese sí", "3EB0", f"{LID}@lid", contents.text("¿el rojo?")),
        (Kind.TEXT, "ese sí"),
    ),
    "forwarded": (contents.forwarded("de otro chat"), (Kind.TEXT, "de otro chat")),
    "image": (contents.image(), (Kind.IMAGE, "")),
    "image_with_caption": (contents.image("¿este hay?"), (Kind.IMAGE, "¿este hay?")),
    "video": (contents.video("así quedó"), (Kind.VIDEO, "así quedó")),
    "gif": (contents.video(gif=True), (Kind.VIDEO, "")),
    "round_video": (contents.round_video(), (Kind.VIDEO, "")),
    "voice": (contents.voice(), (Kind.AUDIO, "")),
    "audio": (contents.audio(), (Kind.AUDIO, "")),
    "document": (contents.document("pedido.pdf"), (Kind.DOCUMENT, "")),
    "document_with_caption": (
        contents.document("pedido.pdf", "mi pedido"),
        (Kind.DOCUMENT, "mi pedido"),
    ),
    "sticker": (contents.sticker(), (Kind.STICKER, "")),
    "moving_sticker": (contents.moving_sticker(), (Kind.STICKER, "")),
    "location": (
        contents.location(19.4, -99.1, "Casa"),
        (Kind.LOCATION, "📍 Casa · 19.40000, -99.10000"),
    ),
    "live_location": (
        contents.live_location(19.4, -99.1, "voy"),
        (Kind.LOCATION, "📍 voy · 19.40000, -99.10000"),
    ),
    "contact": (
        contents.contact("Eva", "5215500000001"),
        (Kind.CONTACT, "👤 Eva · +5215500000001"),
    ),
    "contacts": (
        contents.contacts(("Eva", "5215500000001"), ("Leo", "5215500000002")),
        (Kind.CONTACT, "👤 Eva · +5215500000001\n👤 Leo · +5215500000002"),
    ),
    "button_reply": (contents.button_reply("Sí", "1"), (Kind.TEXT, "Sí")),
    "list_reply": (contents.list_reply("Talla M", "m"), (Kind.TEXT, "Talla M")),
    "template_reply": (contents.template_reply("Ver más", "2"), (Kind.TEXT, "Ver más")),
    "flow_reply": (contents.flow_reply("Confirmo", "confirm"), (Kind.TEXT, "Confirmo")),
    "poll": (
        contents.poll("¿Cuál?", "rojo", "azul", secret=SECRET),
        (Kind.POLL, "📊 ¿Cuál? · rojo / azul"),
    ),
    "poll_of_old": (
        contents.poll("¿Cuál?", "rojo", secret=SECRET, version=""),
        (Kind.POLL, "📊 ¿Cuál? · rojo"),
    ),
    "order": (
        contents.order("Camisas", 2, 598_000),
        (Kind.ORDER, "🛒 Camisas · × 2 · 598 MXN · Quiero esto"),
    ),
    "product": (
        contents.product("Camisa roja", 299_000),
        (Kind.PRODUCT, "🏷️ Camisa roja · 299 MXN"),
    ),
    "group_invite": (
        contents.group_invite(GROUP, "Rifas", "únete"),
        (Kind.INVITE, "👥 Rifas · únete"),
    ),
    "event": (
        contents.event("Cita", 1_800_000_000),
        (Kind.EVENT, "📅 Cita · 2027-01-15 08:00 UTC"),
    ),
    "ephemeral": (contents.ephemeral(contents.text("secreto")), (Kind.TEXT, "secreto")),
    "view_once": (contents.view_once(contents.image("una vez")), (Kind.IMAGE, "una vez")),
    "view_once_of_old": (
        contents.view_once(contents.video("una vez"), ""),
        (Kind.VIDEO, "una vez"),
    ),
    "view_once_voice": (
        contents.view_once(contents.voice(), "V2Extension"),
        (Kind.AUDIO, ""),
    ),
    "reaction": (changes.reaction(EARLIER, "👍"), (Kind.REACTION, "👍")),
    "reaction_removed": (changes.reaction(EARLIER, ""), (Kind.REACTION, "")),
    "edit": (changes.edit(EARLIER, contents.text("dos")), (Kind.EDIT, "dos")),
    "edit_in_the_open": (
        changes.edit_in_the_open(EARLIER, contents.text("dos")),
        (Kind.EDIT, "dos"),
    ),
    "revoke": (changes.revoke(EARLIER), (Kind.REVOKE, "")),
    "disappearing": (changes.disappearing(86_400), "protocol"),
    "pin": (changes.pin(EARLIER), "edit"),
    "album": (contents.album(3), "empty"),
    "nothing": ({}, "empty"),
    "blank": (contents.text("  \n"), "empty"),
}


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """Every variant is on its way, in one burst."""
    async with on_stage(tmp_path_factory.mktemp("scene"), UNDECRYPTABLE) as scene:
        for name, (words, _) in VARIANTS.items():
            await scene.write(words, wa_id(name))
        yield scene


def wa_id(name: str) -> str:
    """The id under which a variant is sent."""
    return f"3A{list(VARIANTS).index(name):04}"


@pytest.mark.parametrize("name", VARIANTS)
async def test_each_variant_becomes_a_kind_with_words_or_a_reason(scene: Scene, name: str) -> None:
    read = await scene.read(wa_id(name))

    expected = VARIANTS[name][1]
    if isinstance(expected, str):
        assert read == Ignored(expected)
    else:
        assert isinstance(read, InboundMessage)
        assert (read.kind, read.text) == expected
        assert (read.sender, read.phone, read.chat) == (Sender.CUSTOMER, f"+{PHONE}", CHAT)


async def test_a_message_says_how_it_was_wrapped_and_which_one_it_quotes(scene: Scene) -> None:
    events = {name: await scene.event(wa_id(name)) for name in VARIANTS}

    assert {name for name, event in events.items() if event.IsEphemeral} == {"ephemeral"}
    assert {name for name, event in events.items() if event.IsEdit} == {"edit"}
    assert events["view_once"].IsViewOnceV2
    assert events["view_once_voice"].IsViewOnceV2Extension
    assert events["view_once_of_old"].IsViewOnce
    assert events["document_with_caption"].IsDocumentWithCaption
    reads = {name: await scene.read(wa_id(name)) for name in VARIANTS}
    messages = {name: one for name, one in reads.items() if isinstance(one, InboundMessage)}
    assert messages["quoting"].quote == Quote("3EB0", "¿el rojo?")
    assert {name for name, one in messages.items() if "view_once" in one.facts} == {
        *("view_once", "view_once_of_old", "view_once_voice")
    }
    assert {name for name, one in messages.items() if "ephemeral" in one.facts} == {"ephemeral"}
    assert {name for name, one in messages.items() if "forwarded" in one.facts} == {"forwarded"}
    assert {messages[name].target for name in ("edit", "revoke", "reaction")} == {"3AEA"}


async def test_a_stanza_says_openly_what_kind_it_carries(scene: Scene) -> None:
    events = {name: (await scene.event(wa_id(name))).Info for name in VARIANTS}
    says = {name: (info.Type, info.MediaType, info.Edit) for name, info in events.items()}

    assert says["text"] == ("text", "", "")
    assert says["voice"] == ("media", "ptt", "")
    assert says["gif"] == ("media", "gif", "")
    assert says["view_once"] == ("media", "image", "")
    assert says["order"] == ("media", "order", "")
    assert says["poll"] == ("poll", "", "")
    assert says["reaction"] == ("reaction", "", "")
    assert says["reaction_removed"] == ("reaction", "", "7")
    assert (says["edit"][2], says["revoke"][2], says["pin"][2]) == ("1", "7", "2")


async def test_a_vote_can_be_opened_with_the_secret_of_its_poll(scene: Scene) -> None:
    poll = contents.key(wa_id("poll"), CHAT, own=True)
    words = changes.vote(scene.server.protos, poll, SECRET, CHAT, ["azul"])
    await scene.write(words, "3AV1")
    raw = await scene.raw("3AV1")

    read = scene.understand(raw)

    assert isinstance(read, InboundMessage)
    assert (read.kind, read.text, read.target) == (Kind.VOTE, "", wa_id("poll"))
    assert await scene.client.open_vote(raw) == [changes.option_hash("azul")]


async def test_a_kind_that_no_client_knows_yet_arrives_with_its_bytes(scene: Scene) -> None:
    future = bytes.fromhex("c2b802") + b"\x04\x0a\x02hi"  # Field 5000, which holds a few bytes.
    message = scene.protos.e2e.Message.FromString(future)
    await scene.deliver(scene.ana.send(scene.owner, message, wa_id="3AV4"))
    event = await scene.event("3AV4")

    read = await scene.read("3AV4")
    assert isinstance(read, InboundMessage)
    assert (read.kind, read.facts["raw"]) == (Kind.OTHER, base64.b64encode(future).decode())
    assert event.Message.SerializeToString() == future


async def test_what_only_the_phone_may_show_never_reaches_us(scene: Scene) -> None:
    await scene.deliver(scene.ana.withholds("3AV2"))
    raw = await scene.client.event(UNDECRYPTABLE)
    event = scene.protos.events.UndecryptableMessage.FromString(raw)
    await scene.write(contents.text("¿la viste?"), "3AV3")

    assert event.Info.ID == "3AV2"
    assert event.IsUnavailable
    assert isinstance(await scene.read("3AV3"), InboundMessage)
    assert "3AV2" not in {one.Info.ID for one in scene.events()}


async def test_a_customer_without_a_number_can_show_one_later(scene: Scene) -> None:
    eva = scene.server.add_customer(None, "333", "Eva")
    await scene.write(contents.text("hola"), "3AW1", eva)
    scene.server.reveal(eva, "5215577777777")
    await scene.write(contents.text("este es mi número"), "3AW2", eva)
    eva.addressed_by = "number"
    await scene.write(contents.text("y ahora por él"), "3AW3", eva)
    reads = [await scene.read(wa_id) for wa_id in ("3AW1", "3AW2", "3AW3")]

    messages = [read for read in reads if isinstance(read, InboundMessage)]
    assert [one.phone for one in messages] == ["lid:333", "+5215577777777", "+5215577777777"]
    assert [one.lid for one in messages] == ["333"] * 3
    assert [one.chat for one in messages] == ["333@lid", "333@lid", "5215577777777@s.whatsapp.net"]
