"""Linking a device without a scan: eight letters typed on the phone, and the passkey asked first.

Facts: the client wraps an ephemeral key with the letters (PBKDF2, 2^17 rounds, then AES-CTR; salt
and iv stand in front) and gives it to the server, which answers with a reference. The phone, once
the letters are typed, wraps a key of its own the same way; with the secret of both keys the client
seals its identity, the phone's and 32 random bytes. From that secret, the identities' secret and
the random bytes both make what stands for the secret of a scanned code. The server takes a name
only if it looks like ``Browser (OS)``. An account with a passkey is asked for it after the scan.
"""

import asyncio
import hashlib
import json
import os
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.whatsapp_server.devices import Scan
from tests.whatsapp_server.keys import KeyPair
from tests.whatsapp_server.nodes import SERVER, Node, Value

if TYPE_CHECKING:
    from tests.whatsapp_server.connection import Connection
    from tests.whatsapp_server.people import Owner

_TAG = "link_code_companion_reg"
_DISPLAY = re.compile(r"[A-Za-z ]+ \([A-Za-z0-9 ]+\)")
_BUNDLE = b"link_code_pairing_key_bundle_encryption_key"
_ROUNDS = 2 << 16


@dataclass
class Letters:
    """One client that waits for its letters to be typed."""

    connection: "Connection"
    number: str
    noise: bytes
    wrapped: bytes
    ref: bytes
    phone: KeyPair
    owner: "Owner | None" = None
    theirs: bytes = b""
    wrong: asyncio.Event = field(default_factory=asyncio.Event)


def answer(connection: "Connection", node: Node) -> Node | None:
    """The client asks for a reference, or has sealed its identity for the phone."""
    asked = node.child(_TAG)
    if asked.get("stage") == "companion_hello":
        return _hello(connection, asked)
    connection.server.spawn(_finish(connection.server.letters[asked.get("jid")], asked))
    return None


async def type_letters(letters: Letters, owner: "Owner", typed: str) -> None:
    """The owner types what the client shows; pairs unless it was something else."""
    letters.owner = owner
    letters.theirs = _unwrap(letters.wrapped, _plain(typed))
    hello = [
        Node("link_code_pairing_ref", content=letters.ref),
        Node(
            "link_code_pairing_wrapped_primary_ephemeral_pub",
            content=_wrap(letters.phone.public, _plain(typed)),
        ),
        Node("primary_identity_pub", content=owner.phone.identity.public),
    ]
    stage = Node(_TAG, {"stage": "primary_hello"}, hello)
    await letters.connection.send(_notification(_TAG, stage))


def passkey_request() -> Node:
    """The server wants to see the account's passkey before it links the device."""
    options = {
        "challenge": "AAAA",
        "timeout": 60_000,
        "rpId": "whatsapp.com",
        "allowCredentials": [{"id": "AAAA", "type": "public-key", "transports": ["internal"]}],
        "userVerification": "required",
    }
    content = Node("passkey_request_options", content=json.dumps(options).encode())
    return _notification("passkey_prologue_request", content)


def _notification(kind: str, content: Node) -> Node:
    attrs: dict[str, Value] = {"from": SERVER, "type": kind}
    attrs |= {"id": os.urandom(6).hex(), "t": str(int(time.time()))}
    return Node("notification", attrs, [content])


def _hello(connection: "Connection", asked: Node) -> Node:
    refused = connection.server.refuses_letters
    name = asked.child("companion_platform_display").data.decode()
    if refused is None and not _DISPLAY.fullmatch(name):
        refused = Node("error", {"code": "400", "text": "bad-request"})
    if refused is not None:
        return refused
    letters = Letters(
        connection,
        asked.get("jid"),
        asked.child("companion_server_auth_key_pub").data,
        asked.child("link_code_pairing_wrapped_companion_ephemeral_pub").data,
        os.urandom(12).hex().encode(),
        KeyPair(),
    )
    connection.server.letters[letters.number] = letters
    ref = Node("link_code_pairing_ref", content=letters.ref)
    return Node(_TAG, {"stage": "companion_hello"}, [ref])


async def _finish(letters: Letters, asked: Node) -> None:
    if letters.owner is None or letters.connection.guest is None:
        raise RuntimeError("nobody has typed letters")
    identity = asked.child("companion_identity_public").data
    sealed = asked.child("link_code_pairing_wrapped_key_bundle").data
    shared = letters.phone.agree(letters.theirs)
    key = _derive(shared, _BUNDLE, sealed[:32])
    try:
        bundle = AESGCM(key).decrypt(sealed[32:44], sealed[44:], None)
    except InvalidTag:
        letters.wrong.set()  # The phone says so to whoever typed; the client is told nothing.
        return
    secret = shared + letters.owner.phone.identity.agree(identity) + bundle[64:]
    scan = Scan("", letters.noise, identity, _derive(secret, b"adv_secret"))
    await letters.connection.pair(letters.owner, letters.connection.guest, scan)


def _plain(letters: str) -> bytes:
    return letters.replace("-", "").encode()


def _wrap(public: bytes, letters: bytes) -> bytes:
    salt, iv = os.urandom(32), os.urandom(16)
    return salt + iv + _cipher(letters, salt, iv, public)


def _unwrap(wrapped: bytes, letters: bytes) -> bytes:
    return _cipher(letters, wrapped[:32], wrapped[32:48], wrapped[48:80])


def _cipher(letters: bytes, salt: bytes, iv: bytes, data: bytes) -> bytes:
    key = hashlib.pbkdf2_hmac("sha256", letters, salt, _ROUNDS, 32)
    encryptor = Cipher(AES(key), CTR(iv)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def _derive(secret: bytes, label: bytes, salt: bytes | None = None) -> bytes:
    return HKDF(SHA256(), 32, salt=salt, info=label).derive(secret)
