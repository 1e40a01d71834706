"""The client's file calls where it never answers: bounded waiting, one thread, one sentence."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.whatsapp.library import Library, Protos, read_protos
from bot.whatsapp.media import UPLOAD_SECONDS, Media
from models.errors import GiveUp, RetryLater
from models.values import Kind, MediaRef

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio(loop_scope="function")]


class Host:
    """WhatsApp's media host behind the client; silent until told otherwise."""

    def __init__(self) -> None:
        self.protos: Protos = read_protos()
        self.answers = asyncio.Event()
        self.waiting = 0
        code = SimpleNamespace(Upload=self._upload)
        library = cast("Library", SimpleNamespace(code=code, protos=self.protos))
        self.media = Media(library, b"company", self._call)

    async def _call(self, call: Callable[[], bytes]) -> bytes:
        self.waiting += 1
        await self.answers.wait()
        self.waiting -= 1
        return call()

    def _upload(self, uuid: bytes, data: bytes, size: int, kind: int) -> bytes:
        assert (uuid, size, kind) == (b"company", len(data), 0)
        answer = self.protos.events.UploadReturnFunction(Error="")
        there: Any = answer.UploadResponse
        there.url, there.DirectPath, there.Handle = "https://mmg.whatsapp.net/x", "/x", ""
        there.MediaKey, there.FileEncSHA256, there.FileSHA256 = b"k", b"e", b"p"
        there.FileLength = size
        return bytes(answer.SerializeToString())


async def test_a_silent_host_is_left_after_its_time_and_holds_one_call() -> None:
    host, loop = Host(), asyncio.get_running_loop()
    began = loop.time()

    with pytest.raises(RetryLater, match="did not take it within 20 s"):
        await host.media.upload(b"jpeg", "image/jpeg")
    took = loop.time() - began
    for _ in range(5):
        with pytest.raises(RetryLater, match="an earlier upload has not ended"):
            await host.media.upload(b"jpeg", "image/jpeg")

    assert took == pytest.approx(UPLOAD_SECONDS)
    assert loop.time() - began == pytest.approx(UPLOAD_SECONDS)
    assert host.waiting == 1


async def test_once_the_host_has_answered_uploads_go_on() -> None:
    host = Host()
    with pytest.raises(RetryLater):
        await host.media.upload(b"jpeg", "image/jpeg")
    host.answers.set()
    await asyncio.sleep(0.1)

    image = host.protos.e2e.ImageMessage.FromString(await host.media.upload(b"jpeg", "image/jpeg"))

    assert (image.mimetype, image.directPath, image.fileLength) == ("image/jpeg", "/x", 4)


async def test_a_file_that_says_it_is_too_large_is_never_asked_for() -> None:
    ref = MediaRef(Kind.VIDEO, "video/mp4", 2**24, "/x", b"k", b"p", b"s")

    with pytest.raises(GiveUp, match=r"the video is 16\.0 MB large, at most 1\.0 MB are taken"):
        await Host().media.download(ref, most=2**20, seconds=1)
