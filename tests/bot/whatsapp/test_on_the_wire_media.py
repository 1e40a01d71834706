"""Photos, voices and files through the real client, from a host that is not always right."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.bot.whatsapp.scene import LID, Scene, on_stage
from tests.whatsapp_server import contents
from tests.whatsapp_server.bare import AUDIO, DOCUMENT, IMAGE, VIDEO, CallFailed
from tests.whatsapp_server.contents import Reference, Words

pytestmark = pytest.mark.whatsapp

CHAT = f"{LID}@lid"
PICTURE = os.urandom(50_000)


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with on_stage(tmp_path_factory.mktemp("scene")) as scene:
        yield scene


async def received(scene: Scene, words: Words, wa_id: str) -> Any:
    """The message as the client has it, after its way over the wire."""
    await scene.write(words, wa_id)
    return (await scene.event(wa_id)).Message


KINDS: dict[str, Callable[[Reference], Words]] = {
    "image": lambda media: contents.image("así", media),
    "video": lambda media: contents.video("así", media),
    "audio": lambda media: contents.voice(media),
    "document": lambda media: contents.document("a.pdf", media=media),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_customer_sends_can_be_downloaded(scene: Scene, kind: str) -> None:
    file = scene.server.media.store(PICTURE, kind)
    message = await received(scene, KINDS[kind](file.reference()), f"3A{kind}")

    assert await scene.client.download(message) == PICTURE


async def test_a_photo_that_can_be_seen_once_can_be_downloaded_too(scene: Scene) -> None:
    file = scene.server.media.store(PICTURE)
    words = contents.view_once(contents.image(media=file.reference()))

    assert await scene.client.download(await received(scene, words, "3AB1")) == PICTURE


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "gone": ({"status": 404}, "status code 404"),
    "expired": ({"status": 410}, "status code 410"),
    "forbidden": ({"status": 403}, "status code 403"),
    "cut": ({"cut": 10_000}, "EOF"),
    "spoiled": ({"sealed": os.urandom(50_026)}, "hash of media ciphertext doesn't match"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_file_that_cannot_be_had_is_told_with_its_reason(scene: Scene, name: str) -> None:
    faults, words = WRONG[name]
    file = scene.server.media.store(PICTURE)
    for fault, value in faults.items():
        setattr(file, fault, value)
    message = await received(scene, contents.image(media=file.reference()), f"3A{name}")

    with pytest.raises(CallFailed, match=words):
        await scene.client.download(message)


async def test_another_file_than_the_one_promised_is_refused(scene: Scene) -> None:
    file = scene.server.media.store(PICTURE)
    lie = file.reference(fileSHA256=os.urandom(32))
    message = await received(scene, contents.image(media=lie), "3AC1")

    with pytest.raises(CallFailed, match="hash of media plaintext"):
        await scene.client.download(message)


async def test_a_silent_host_keeps_one_call_waiting_and_nothing_else(scene: Scene) -> None:
    file = scene.server.media.store(PICTURE)
    file.silent = True
    message = await received(scene, contents.image(media=file.reference()), "3AC2")
    download = asyncio.ensure_future(scene.client.download(message))
    await scene.eventually(lambda: file.path.startswith(scene.server.media.asked[-1]))
    other = await received(scene, contents.text("¿la viste?"), "3AC3")

    assert other.conversation == "¿la viste?"
    assert not download.done()
    download.cancel()


async def test_a_slow_host_takes_as_long_as_its_pace(scene: Scene) -> None:
    file = scene.server.media.store(PICTURE)
    file.pace = 250_000
    message = await received(scene, contents.image(media=file.reference()), "3AC4")
    begun = asyncio.get_running_loop().time()

    assert await scene.client.download(message) == PICTURE
    assert asyncio.get_running_loop().time() - begun >= 0.2


async def test_a_file_larger_than_its_message_says_is_still_delivered_whole(scene: Scene) -> None:
    file = scene.server.media.store(os.urandom(3_000_000), "document")
    lie = contents.document("a.pdf", media=file.reference(fileLength=1000))
    message = await received(scene, lie, "3AC5")

    assert message.documentMessage.fileLength == 1000
    assert len(await scene.client.download(message)) == 3_000_000


async def test_a_mislabelled_file_keeps_its_label_and_its_bytes(scene: Scene) -> None:
    program = b"\x7fELF" + os.urandom(1000)
    file = scene.server.media.store(program)
    lie = contents.image(media=file.reference(mimetype="image/png"))
    message = await received(scene, lie, "3AC6")

    assert message.imageMessage.mimetype == "image/png"
    assert await scene.client.download(message) == program


@pytest.mark.parametrize(
    ("number", "kind"),
    [(IMAGE, "image"), (VIDEO, "video"), (AUDIO, "audio"), (DOCUMENT, "document")],
)
async def test_what_the_client_uploads_is_opened_by_the_customer(
    scene: Scene, number: int, kind: str
) -> None:
    await received(scene, contents.text("¿tienes foto?"), f"3AD{number}")
    words = KINDS[kind](await scene.client.upload(PICTURE, number))
    await scene.client.send(CHAT, scene.message(words))
    got = await asyncio.wait_for(scene.ana.inbox.get(), 50)
    body = getattr(got.message, f"{kind}Message")

    assert scene.server.media.open(body, kind) == PICTURE
    assert body.fileLength == len(PICTURE)


async def test_an_upload_that_is_refused_is_told(scene: Scene) -> None:
    scene.server.media.refuses_uploads = 507

    with pytest.raises(CallFailed, match="status code 507"):
        await scene.client.upload(PICTURE, IMAGE)
    scene.server.media.refuses_uploads = 0
