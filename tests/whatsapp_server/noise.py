"""The server's side of Noise XX (25519, AES-GCM, SHA-256), and the ciphers after it.

Facts: the prologue is the four bytes ``WA`` 6 3; handshake messages are ``waWa6`` protobufs;
the server proves its static key with a chain of two certificates whose root the client pins.
"""

import hashlib
import struct
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.whatsapp_server.keys import KeyPair
from tests.whatsapp_server.protos import Protos

PROLOGUE = b"WA\x06\x03"
_NAME = b"Noise_XX_25519_AESGCM_SHA256\x00\x00\x00\x00"


@dataclass(frozen=True)
class Authority:
    """The pinned root, an intermediate, and the server's own static key below it."""

    root: KeyPair = field(default_factory=KeyPair)
    intermediate: KeyPair = field(default_factory=KeyPair)
    server: KeyPair = field(default_factory=KeyPair)

    def chain(self, protos: Protos) -> bytes:
        """The certificates as the server sends them."""
        chain = protos.cert.CertChain()
        details = protos.cert.CertChain.NoiseCertificate.Details
        times = {"notBefore": 1_500_000_000, "notAfter": 4_000_000_000}
        upper = details(serial=1, issuerSerial=0, key=self.intermediate.public, **times)
        chain.intermediate.details = upper.SerializeToString()
        chain.intermediate.signature = self.root.sign(chain.intermediate.details)
        lower = details(serial=2, issuerSerial=1, key=self.server.public, **times)
        chain.leaf.details = lower.SerializeToString()
        chain.leaf.signature = self.intermediate.sign(chain.leaf.details)
        return bytes(chain.SerializeToString())


class Ciphers:
    """Frames after the handshake: one key and one counter for each direction."""

    def __init__(self, receiving: bytes, sending: bytes) -> None:
        self._receiving, self._received = AESGCM(receiving), 0
        self._sending, self._sent = AESGCM(sending), 0

    def open(self, frame: bytes) -> bytes:
        """The plaintext of a frame of the client's."""
        plain = self._receiving.decrypt(_nonce(self._received), frame, None)
        self._received += 1
        return plain

    def seal(self, plain: bytes) -> bytes:
        """A frame for the client."""
        frame = self._sending.encrypt(_nonce(self._sent), plain, None)
        self._sent += 1
        return frame


class Handshake:
    """Three messages: hello, the server's answer, and the client's finish with its payload."""

    def __init__(self, authority: Authority, protos: Protos) -> None:
        self._authority = authority
        self._protos = protos
        self._ephemeral = KeyPair()
        self._hash = self._salt = self._key = _NAME
        self._counter = 0
        self._authenticate(PROLOGUE)

    def answer(self, hello: bytes) -> bytes:
        """The server's hello after the client's."""
        theirs = self._protos.wa6.HandshakeMessage.FromString(hello).clientHello.ephemeral
        self._authenticate(theirs)
        reply = self._protos.wa6.HandshakeMessage()
        reply.serverHello.ephemeral = self._ephemeral.public
        self._authenticate(self._ephemeral.public)
        self._mix(self._ephemeral.agree(theirs))
        reply.serverHello.static = self._seal(self._authority.server.public)
        self._mix(self._authority.server.agree(theirs))
        reply.serverHello.payload = self._seal(self._authority.chain(self._protos))
        return bytes(reply.SerializeToString())

    def finish(self, message: bytes) -> tuple[Any, Ciphers]:
        """The client's payload and the ciphers for what follows."""
        finish = self._protos.wa6.HandshakeMessage.FromString(message).clientFinish
        static = self._open(finish.static)
        self._mix(self._ephemeral.agree(static))
        payload = self._protos.wa6.ClientPayload.FromString(self._open(finish.payload))
        theirs, ours = self._expand(b"")
        return payload, Ciphers(receiving=theirs, sending=ours)

    def _authenticate(self, data: bytes) -> None:
        self._hash = hashlib.sha256(self._hash + data).digest()

    def _mix(self, secret: bytes) -> None:
        self._salt, self._key = self._expand(secret)
        self._counter = 0

    def _expand(self, secret: bytes) -> tuple[bytes, bytes]:
        both = HKDF(SHA256(), 64, salt=self._salt, info=b"").derive(secret)
        return both[:32], both[32:]

    def _seal(self, plain: bytes) -> bytes:
        sealed = AESGCM(self._key).encrypt(_nonce(self._counter), plain, self._hash)
        self._counter += 1
        self._authenticate(sealed)
        return sealed

    def _open(self, sealed: bytes) -> bytes:
        plain = AESGCM(self._key).decrypt(_nonce(self._counter), sealed, self._hash)
        self._counter += 1
        self._authenticate(sealed)
        return plain


def _nonce(counter: int) -> bytes:
    return b"\x00" * 8 + struct.pack(">I", counter)
