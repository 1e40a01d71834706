"""Product pictures: read from where the catalogue says, checked, and kept ready for a while."""

import asyncio
import logging
import os
import stat
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

from bot.web.fetching import fetch_public
from bot.whatsapp.media_types import picture_mime
from bot.wire import NotSent
from models.errors import GiveUp, RetryLater
from models.pictures import is_file

log = logging.getLogger(__name__)

MOST_BYTES = 5 * 2**20
"""The largest picture that WhatsApp's own business interface takes."""

FETCH_SECONDS = 10.0
_KEPT = 64
_FRESH_SECONDS = 3600.0

Upload = Callable[[bytes, str], Awaitable[bytes]]
"""Takes a picture and its mime type to WhatsApp; how a message refers to it from then on."""


class Pictures:
    """One session's pictures that WhatsApp has already, by their place."""

    def __init__(self, private_networks: Sequence[str] = ()) -> None:
        self._private_networks = private_networks
        self._known: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    async def taken(self, place: str, upload: Upload) -> bytes | None:
        """How a message refers to the picture at *place*; None where it cannot be had now.

        Never raises: no picture, whatever is wrong with it, keeps the text that it goes with.
        """
        at, known = self._known.get(place, (float("-inf"), b""))
        if time.monotonic() - at < _FRESH_SECONDS:
            return known
        try:
            data = await self._read(place)
            uploaded = await upload(data, _mime(data))
        except (GiveUp, RetryLater, NotSent) as error:
            log.warning("a product goes without its picture", extra={"why": str(error)})
            return None
        except Exception:
            log.exception("a product's picture failed", extra={"place": place})
            return None
        self._known[place] = (time.monotonic(), uploaded)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return uploaded

    async def _read(self, place: str) -> bytes:
        if is_file(place):
            return await asyncio.to_thread(read_file, place)
        return await fetch_public(
            place, most=MOST_BYTES, seconds=FETCH_SECONDS, private_networks=self._private_networks
        )


def read_file(path: str) -> bytes:
    """An ordinary file of at most `MOST_BYTES`. Raises GiveUp."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
                raise GiveUp(f"{path} is no file of at most {MOST_BYTES // 2**20} MB")
            return file.read(MOST_BYTES)
    except (OSError, ValueError) as error:
        raise GiveUp(f"{path} cannot be read: {error}") from None


def _mime(data: bytes) -> str:
    mime = picture_mime(data)
    if mime is None:
        raise GiveUp("the picture is neither JPEG nor PNG")
    return mime
