"""Curve25519 keys that both agree and sign, as every identity in the protocol does."""

import hashlib
import os
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_P = 2**255 - 19


@dataclass(frozen=True)
class KeyPair:
    """A Curve25519 pair made from an Ed25519 seed, so that plain Ed25519 can sign for it.

    A verifier turns the Montgomery public key back into an Edwards point and takes that
    point's sign from the top bit of the signature.
    """

    seed: bytes = field(default_factory=lambda: os.urandom(32))

    @cached_property
    def private(self) -> X25519PrivateKey:
        """The scalar, as Ed25519 derives it from the seed."""
        return X25519PrivateKey.from_private_bytes(hashlib.sha512(self.seed).digest()[:32])

    @cached_property
    def public(self) -> bytes:
        """The 32 bytes of the Montgomery public key."""
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def agree(self, public: bytes) -> bytes:
        """The shared secret with the holder of *public*."""
        return self.private.exchange(X25519PublicKey.from_public_bytes(public))

    def sign(self, message: bytes) -> bytes:
        """64 bytes that verify under the Montgomery public key."""
        signer = Ed25519PrivateKey.from_private_bytes(self.seed)
        edwards = signer.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        signature = bytearray(signer.sign(message))
        signature[63] |= edwards[31] & 0x80
        return bytes(signature)


def typed(public: bytes) -> bytes:
    """A public key with the type byte that Signal puts before it."""
    return b"\x05" + public
