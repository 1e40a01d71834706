"""The host where media lie sealed: downloads, uploads and deletions, done right or wrong.

Facts: a file is sealed with keys made from its 32-byte media key under a label that names the kind
(iv, cipher key, MAC key), and ends in 10 bytes of HMAC over iv and ciphertext. A message carries
the path on the host, the media key and the hashes of the plain and of the sealed file. An upload
is posted under the base64 of the sealed file's hash, with a token that the server gave out
(``media_conn``), and is answered in JSON.
"""

import asyncio
import base64
import hashlib
import hmac
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.whatsapp_server import cbc
from tests.whatsapp_server.nodes import Node

HOST = "mmg.whatsapp.net"

_LABELS = {
    "image": b"WhatsApp Image Keys",
    "video": b"WhatsApp Video Keys",
    "audio": b"WhatsApp Audio Keys",
    "document": b"WhatsApp Document Keys",
    "md-msg-hist": b"WhatsApp History Keys",
    "md-app-state": b"WhatsApp App State Keys",
}
_MAC = 10
_CHUNK = 64 * 1024


@dataclass
class Stored:
    """A sealed file, and what is wrong with it from the next request on.

    ``status`` is answered in place of the file. ``silent`` takes the request and never answers.
    ``pace`` is bytes a second. ``cut`` hangs up after so many bytes.
    """

    path: str
    key: bytes
    plain_hash: bytes
    length: int
    sealed: bytes
    sealed_hash: bytes
    status: int = 200
    silent: bool = False
    pace: float = 0.0
    cut: int | None = None

    def reference(self, **lies: Any) -> dict[str, Any]:
        """The fields that a message needs to refer to it; any may be given another value."""
        true = {
            "URL": f"https://{HOST}{self.path}",
            "directPath": self.path,
            "mediaKey": self.key,
            "fileSHA256": self.plain_hash,
            "fileEncSHA256": self.sealed_hash,
            "fileLength": self.length,
        }
        return true | lies


class MediaHost:
    """Every file that anybody has uploaded."""

    def __init__(self) -> None:
        self.files: dict[str, Stored] = {}
        self.asked: list[str] = []
        self.deleted: list[str] = []
        self.refuses_uploads = 0
        self._token = os.urandom(12).hex()

    def store(self, plain: bytes, kind: str = "image") -> Stored:
        """A file as a phone uploads it."""
        key = os.urandom(32)
        iv, cipher, mac = _keys(key, kind)
        sealed = cbc.encrypt(cipher, iv, plain)
        sealed += hmac.digest(mac, iv + sealed, "sha256")[:_MAC]
        path = f"/v/t62.7118-24/{os.urandom(8).hex()}.enc?ccb=11-4&oh=x"
        stored = Stored(path, key, _hash(plain), len(plain), sealed, _hash(sealed))
        self.files[path.partition("?")[0]] = stored
        return stored

    def open(self, media: Any, kind: str = "image") -> bytes:
        """The plain file behind a message's media. Raises KeyError or ValueError."""
        sealed = self.files[media.directPath.partition("?")[0]].sealed
        iv, cipher, mac = _keys(media.mediaKey, kind)
        if not hmac.compare_digest(
            hmac.digest(mac, iv + sealed[:-_MAC], "sha256")[:_MAC], sealed[-_MAC:]
        ):
            raise ValueError("the media does not verify")
        return cbc.decrypt(cipher, iv, sealed[:-_MAC])

    def connection(self) -> Node:
        """Where to, and with which token."""
        attrs = {"auth": self._token, "ttl": "3600", "auth_ttl": "3600", "max_buckets": "12"}
        return Node("media_conn", attrs, [Node("host", {"hostname": HOST})])

    def routes(self) -> Iterator[web.RouteDef]:
        """What the host answers to."""
        yield web.get("/v/{name:.*}", self._download)
        yield web.post("/mms/{kind}/{token}", self._upload)
        yield web.delete("/mms/{kind}/{token}", self._delete)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        stored = self.files.get(request.path)
        if stored is None:
            return web.Response(status=404)
        if stored.silent:
            await asyncio.Event().wait()
        if stored.status != 200:
            return web.Response(status=stored.status)
        return await _serve(request, stored)

    async def _upload(self, request: web.Request) -> web.Response:
        if self.refuses_uploads:
            return web.Response(status=self.refuses_uploads)
        sealed = await request.read()
        token = request.match_info["token"]
        if request.query.get("auth") != self._token or base64.urlsafe_b64decode(token) != _hash(
            sealed
        ):
            return web.Response(status=401)
        path = f"/v/t62.7118-24/{os.urandom(8).hex()}.enc"
        self.files[path] = Stored(path, b"", b"", 0, sealed, _hash(sealed))
        return web.json_response(
            {"url": f"https://{HOST}{path}", "direct_path": f"{path}?ccb=11-4"}
        )

    async def _delete(self, request: web.Request) -> web.Response:
        self.deleted.append(request.match_info["token"])
        return web.Response()


async def _serve(request: web.Request, stored: Stored) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_length = len(stored.sealed)
    await response.prepare(request)
    for at in range(0, len(stored.sealed), _CHUNK):
        chunk = stored.sealed[at : at + _CHUNK]
        if stored.cut is not None and at + len(chunk) > stored.cut:
            await response.write(chunk[: stored.cut - at])
            break
        if stored.pace:
            await asyncio.sleep(len(chunk) / stored.pace)
        await response.write(chunk)
    if stored.cut is not None and request.transport is not None:
        request.transport.abort()
    return response


def _keys(key: bytes, kind: str) -> tuple[bytes, bytes, bytes]:
    both = HKDF(SHA256(), 112, salt=None, info=_LABELS[kind]).derive(key)
    return both[:16], both[16:48], both[48:80]


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
