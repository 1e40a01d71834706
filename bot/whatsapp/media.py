"""Files in and out: fetched and handed over by us within limits, sealed and opened by the client.

The client would wait for a silent media host without end, on a thread that nobody can stop, and
would fetch whatever address a stranger's message names. So we fetch the sealed file ourselves,
from WhatsApp's media host alone, and lend it to the client on the loopback interface.
"""

import asyncio
import base64
import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from bot.web.fetching import fetch_media
from bot.whatsapp.lending import lent
from bot.whatsapp.library import Library
from bot.whatsapp.media_refs import media_message
from bot.whatsapp.media_types import is_what_it_says
from bot.wire import NotSent
from models.errors import GiveUp, RetryLater
from models.values import Kind, MediaRef

log = logging.getLogger(__name__)

_AT_ONCE = 2  # Each holds a whole file, and its sealed twin.
_SEAL = 26  # A sealed file ends in up to 16 bytes of padding and 10 of MAC.
_IMAGE = 0  # The client's number for the kind of an upload.
UPLOAD_SECONDS = 20.0


class Media:
    """The client's calls about files; *call* runs one of its functions off the loop."""

    def __init__(
        self,
        library: Library,
        uuid: bytes,
        call: Callable[[Callable[[], bytes]], Awaitable[bytes]],
    ) -> None:
        self._library = library
        self._uuid = uuid
        self._call = call
        self._downloads = asyncio.Semaphore(_AT_ONCE)
        self._uploading: asyncio.Future[bytes] | None = None

    async def download(self, ref: MediaRef, *, most: int, seconds: float) -> bytes:
        """The file behind *ref*: at most *most* bytes, within *seconds* of its turn.

        Raises GiveUp with a sentence (too large, mislabelled, spoiled, gone), RetryLater for a
        host that did not deliver in time, NotSent without a session.
        """
        if ref.size > most:
            raise GiveUp(f"the {ref.kind} is {_mb(ref.size)} large, at most {_mb(most)} are taken")
        async with self._downloads:
            try:
                async with asyncio.timeout(seconds):
                    data = await self._download(ref, most, seconds)
            except TimeoutError:
                raise RetryLater(f"the {ref.kind} did not come within {seconds:g} s") from None
        _check(ref, data)
        return data

    async def upload(self, data: bytes, mime: str) -> bytes:
        """The picture as a message refers to it from now on. Raises RetryLater, NotSent.

        An upload whose host is silent holds one thread; until it ends there are no others.
        """
        if self._uploading is not None and not self._uploading.done():
            raise RetryLater("an earlier upload has not ended yet")
        code, kind = self._library.code, _IMAGE
        self._uploading = asyncio.ensure_future(
            self._call(lambda: code.Upload(self._uuid, data, len(data), kind))
        )
        self._uploading.add_done_callback(_heard)
        done, _ = await asyncio.wait({self._uploading}, timeout=UPLOAD_SECONDS)
        if not done:
            raise RetryLater(f"the media host did not take it within {UPLOAD_SECONDS:g} s")
        answer = self._library.protos.events.UploadReturnFunction.FromString(
            self._uploading.result()
        )
        if answer.Error:
            raise RetryLater(f"the media host did not take it: {answer.Error[:200]}")
        return self._image(answer.UploadResponse, mime)

    async def _download(self, ref: MediaRef, most: int, seconds: float) -> bytes:
        sealed = await fetch_media(_path(ref), most=most + _SEAL, seconds=seconds)
        if hashlib.sha256(sealed).digest() != ref.sealed_sha256:
            raise GiveUp(f"the {ref.kind} was spoiled on its way")
        async with lent(sealed) as url:
            body = media_message(self._library.protos.e2e, ref, url).SerializeToString()
            code = self._library.code
            raw = await self._call(lambda: code.DownloadAny(self._uuid, body, len(body)))
        answer = self._library.protos.events.DownloadReturnFunction.FromString(raw)
        if answer.Error:
            raise GiveUp(f"the {ref.kind} cannot be opened: {answer.Error[:200]}")
        return bytes(answer.Binary)

    def _image(self, there: Any, mime: str) -> bytes:
        image = self._library.protos.e2e.ImageMessage(
            mimetype=mime,
            URL=there.url,
            directPath=there.DirectPath,
            mediaKey=there.MediaKey,
            fileSHA256=there.FileSHA256,
            fileEncSHA256=there.FileEncSHA256,
            fileLength=there.FileLength,
        )
        return bytes(image.SerializeToString())


def _check(ref: MediaRef, data: bytes) -> None:
    if len(data) != ref.size:
        raise GiveUp(f"the {ref.kind} holds {len(data)} bytes, its message says {ref.size}")
    if not is_what_it_says(ref.kind, ref.mime, data):
        raise GiveUp(f"the file is no {ref.kind}, though its message calls it {ref.mime!r}")


def _path(ref: MediaRef) -> str:
    """The path as the client asks for it, with what the media host's caches look for."""
    kind = Kind.IMAGE if ref.kind is Kind.STICKER else ref.kind
    sealed = base64.urlsafe_b64encode(ref.sealed_sha256).decode()
    separator = "&" if "?" in ref.path else "?"
    return f"{ref.path}{separator}hash={sealed}&mms-type={kind}&__wa-mms="


def _mb(size: int) -> str:
    return f"{size / 2**20:.1f} MB"


def _heard(call: "asyncio.Future[bytes]") -> None:
    """Whoever asked may have left; the error is theirs no more."""
    if not call.cancelled() and isinstance(call.exception(), NotSent):
        log.debug("an upload ended without a session")
