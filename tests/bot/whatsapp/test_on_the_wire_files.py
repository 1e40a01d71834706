"""Files of customers fetched within limits, and product pictures sent, through the real client."""

import asyncio
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.bot.whatsapp.conftest import open_server
from tests.whatsapp_server import contents
from tests.whatsapp_server.hosted import Hosted, hosting
from tests.whatsapp_server.nursery import seed
from tests.whatsapp_server.people import Customer, Owner, Received
from tests.whatsapp_server.server import WhatsAppServer

pytestmark = [pytest.mark.whatsapp, pytest.mark.timeout(120)]

JPEG = b"\xff\xd8\xff\xe0" + os.urandom(50_000)
OGG = b"OggS" + os.urandom(9_000)
LIMITS = {"whatsapp": {"media_megabytes": 1, "media_seconds": 1.5}}


@dataclass
class Shop:
    """A hosted company, and a customer who sends it files."""

    server: WhatsAppServer
    folder: Path
    company: UUID
    owner: Owner
    ana: Customer
    hosted: Hosted

    async def gets(self, words: contents.Words, wa_id: str) -> None:
        """A message is taken in."""
        message = self.server.protos.e2e.Message(**words)
        await self.server.deliver(self.owner, self.ana.send(self.owner, message, wa_id=wa_id))
        await self.hosted.until(event="message", wa_id=wa_id)

    async def photo(self, wa_id: str, data: bytes = JPEG, **faults: Any) -> Any:
        """A photo is taken in whose file has these faults; the file."""
        lies = faults.pop("lies", {})
        file = self.server.media.store(data)
        for name, value in faults.items():
            setattr(file, name, value)
        await self.gets(contents.image(media=file.reference(**lies)), wa_id)
        return file

    async def download(self, wa_id: str) -> dict[str, Any]:
        """What comes of fetching it."""
        return await self.hosted.do("download", wa_id=wa_id)

    async def sends(self, text: str, place: str) -> tuple[bool, Received]:
        """Whether the picture could be had, and what the customer got."""
        taken = await self.hosted.do("take", place=place, seconds=40)
        chat, secret = f"{self.ana.lid}@lid", os.urandom(32).hex()
        await self.hosted.do("send", chat=chat, text=text, secret=secret, picture=place)
        return taken["value"], await asyncio.wait_for(self.ana.inbox.get(), 50)


@pytest.fixture(scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    folder, company = tmp_path_factory.mktemp("files"), uuid4()
    async with open_server(folder) as server:
        owner = server.owner("5215512345678", "111222333444555")
        ana = server.add_customer("5215587654321", "999888777666555", "Ana")
        await seed(server, folder / "state", {company: owner})
        more = {"SETTINGS": json.dumps(LIMITS)}
        async with hosting(
            folder / "state", company, environment=server.environment | more
        ) as hosted:
            await hosted.until(event="state", reason="online", seconds=60)
            yield Shop(server, folder, company, owner, ana, hosted)


async def test_a_file_is_fetched_by_its_reference(shop: Shop) -> None:
    await shop.photo("3AF01")
    voice = shop.server.media.store(OGG, "audio")
    await shop.gets(contents.voice(voice.reference()), "3AF02")
    found = [(await shop.download(wa_id))["value"] for wa_id in ("3AF01", "3AF02")]

    assert found == [
        {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for data in (JPEG, OGG)
    ]


BAD: dict[str, tuple[bytes, dict[str, Any], str, str]] = {
    "said_too_large": (JPEG, {"lies": {"fileLength": 2**24}}, "GiveUp", "16.0 MB large, at most"),
    "too_large": (
        b"\xff\xd8\xff" + os.urandom(2**21),
        {"lies": {"fileLength": 1000}},
        "GiveUp",
        "larger than 1 MB",
    ),
    "lying_size": (JPEG, {"lies": {"fileLength": 1000}}, "GiveUp", "its message says 1000"),
    "program": (b"\x7fELF" + os.urandom(1000), {}, "GiveUp", "is no image, though"),
    "spoiled": (JPEG, {"sealed": os.urandom(50_026)}, "GiveUp", "spoiled on its way"),
    "other_key": (JPEG, {"lies": {"mediaKey": os.urandom(32)}}, "GiveUp", "cannot be opened"),
    "gone": (JPEG, {"status": 410}, "GiveUp", "not there any more"),
    "ill": (JPEG, {"status": 503}, "RetryLater", "answered 503"),
    "cut": (JPEG, {"cut": 10_000}, "RetryLater", "did not deliver it"),
    "elsewhere": (JPEG, {"lies": {"directPath": "@127.0.0.1:1/x"}}, "GiveUp", "none of WhatsApp's"),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_cannot_be_taken_is_refused_with_a_sentence(shop: Shop, name: str) -> None:
    data, faults, error, sentence = BAD[name]
    await shop.photo(f"3AG{name}", data, **faults)

    answer = await shop.download(f"3AG{name}")

    assert answer["error"] == error
    assert sentence in answer["text"]


async def test_a_strangers_address_is_never_asked(shop: Shop) -> None:
    asked: list[bytes] = []

    async def trap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.close()

    server = await asyncio.start_server(trap, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await shop.photo("3AF03", lies={"URL": f"http://127.0.0.1:{port}/metadata"})
    answer = await shop.download("3AF03")
    server.close()

    assert answer["value"]["size"] == len(JPEG)
    assert asked == []


async def test_silent_hosts_leave_no_thread_and_hold_up_nobody(shop: Shop) -> None:
    before = threads(shop)
    for number in range(6):
        await shop.photo(f"3AH{number}", silent=True)
    began = time.monotonic()
    for number in range(6):
        await shop.hosted.tell("download", wa_id=f"3AH{number}")
    after = len(shop.hosted.said)
    await shop.gets(contents.text("¿las viste?"), "3AH9")
    spoke = time.monotonic() - began
    for _ in range(6):
        answer = await shop.hosted.until(event="answer", after=after, seconds=10)
        after = shop.hosted.said.index(answer, after) + 1
        assert answer["error"] == "RetryLater"
        assert "within 1.5 s" in answer["text"]
    await shop.photo("3AHA")

    assert (await shop.download("3AHA"))["value"]["size"] == len(JPEG)
    assert spoke < 1.5
    assert threads(shop) <= before + 4  # The loop's and the gate's own idle ones.


def threads(shop: Shop) -> int:
    """How many threads the program has, those of the client's runtime too."""
    return len(list(Path(f"/proc/{shop.hosted.process.pid}/task").iterdir()))


async def test_a_picture_goes_out_with_the_text_under_it(shop: Shop) -> None:
    file = shop.folder / "plan.jpg"
    file.write_bytes(JPEG)

    taken, got = await shop.sends("El plan 💪", str(file))

    image = got.message.imageMessage
    assert taken
    assert (image.caption, image.mimetype, image.fileLength) == (
        "El plan 💪",
        "image/jpeg",
        len(JPEG),
    )
    assert shop.server.media.open(image) == JPEG
    assert len(got.message.messageContextInfo.messageSecret) == 32


@pytest.mark.parametrize("what", ["missing", "a_text", "a_folder", "too_large", "a_pipe"])
async def test_without_a_picture_the_text_goes_alone(shop: Shop, what: str) -> None:
    place = shop.folder / what
    if what == "a_text":
        place.write_text("soy un texto")
    elif what == "a_folder":
        place.mkdir()
    elif what == "too_large":
        place.write_bytes(JPEG[:4] + bytes(6 * 2**20))
    elif what == "a_pipe":
        os.mkfifo(place)

    taken, got = await shop.sends(f"sin foto: {what}", str(place))

    assert not taken
    assert (got.text, got.message.HasField("imageMessage")) == (f"sin foto: {what}", False)


async def test_a_media_host_that_refuses_leaves_the_text(shop: Shop) -> None:
    file = shop.folder / "otro.jpg"
    file.write_bytes(JPEG)
    shop.server.media.refuses_uploads = 507

    taken, got = await shop.sends("el otro", str(file))
    shop.server.media.refuses_uploads = 0

    assert not taken
    assert got.text == "el otro"


async def test_a_private_address_is_not_asked_for_a_picture(shop: Shop) -> None:
    taken, got = await shop.sends("hola", "https://127.0.0.1/plan.jpg")

    assert not taken
    assert got.text == "hola"
