"""One sender's key in one group: handed to each device once, then used for every message.

Facts: the key's message is protobuf {id, iteration, chain key, signing key} after a version byte;
a group message is {id, iteration, ciphertext} after a version byte and before a signature of both
(64 bytes); iv and cipher key come from the chain under the label ``WhisperGroup``.
"""

import hmac
import os
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.whatsapp_server import cbc
from tests.whatsapp_server.fields import Fields, pack
from tests.whatsapp_server.keys import KeyPair, typed
from tests.whatsapp_server.ratchet import padded

_VERSION = b"\x33"


@dataclass
class SenderKey:
    """What one sender has for one group."""

    id: int = field(default_factory=lambda: int.from_bytes(os.urandom(4), "big") >> 1)
    chain: bytes = field(default_factory=lambda: os.urandom(32))
    signing: KeyPair = field(default_factory=KeyPair)
    iteration: int = 0

    def distribution(self) -> bytes:
        """What a device needs to read the messages from now on."""
        fields: Fields = {
            1: self.id,
            2: self.iteration,
            3: self.chain,
            4: typed(self.signing.public),
        }
        return _VERSION + pack(fields)

    def encrypt(self, plain: bytes) -> bytes:
        """A message for everybody who has the key."""
        seed = hmac.digest(self.chain, b"\x01", "sha256")
        keys = HKDF(SHA256(), 48, salt=b"\x00" * 32, info=b"WhisperGroup").derive(seed)
        sealed = cbc.encrypt(keys[16:], keys[:16], padded(plain))
        body = _VERSION + pack({1: self.id, 2: self.iteration, 3: sealed})
        self.chain = hmac.digest(self.chain, b"\x02", "sha256")
        self.iteration += 1
        return body + self.signing.sign(body)
