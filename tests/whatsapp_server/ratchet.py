"""One side of Signal: key agreement, double ratchet, and the two message forms (version 3).

Facts: the agreement mixes three or four secrets under the label ``WhisperText``, each ratchet
step uses ``WhisperRatchet``, each message key ``WhisperMessageKeys``; a message ends in 8 bytes
of HMAC over both identities and itself; WhatsApp pads the plaintext with 1 to 15 bytes.
"""

import hashlib
import hmac
import os
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.whatsapp_server import cbc
from tests.whatsapp_server.fields import Fields, bytes_of, number_of, pack, unpack
from tests.whatsapp_server.keys import KeyPair, typed

_VERSION = b"\x33"


@dataclass(frozen=True)
class Bundle:
    """What a stranger needs to write to a device first."""

    registration_id: int
    identity: bytes
    signed_id: int
    signed_key: bytes
    signature: bytes
    one_time_id: int | None = None
    one_time_key: bytes | None = None


@dataclass
class _Chain:
    key: bytes
    index: int = 0

    def step(self) -> bytes:
        seed = hmac.digest(self.key, b"\x01", "sha256")
        self.key = hmac.digest(self.key, b"\x02", "sha256")
        self.index += 1
        return seed


@dataclass
class Session:
    """The ratchets with one device."""

    ours: bytes
    theirs: bytes
    root: bytes
    ratchet: KeyPair
    sending: _Chain
    receiving: dict[bytes, _Chain] = field(default_factory=dict)
    skipped: dict[tuple[bytes, int], bytes] = field(default_factory=dict)
    previous: int = 0
    opening: Fields | None = None  # Repeated in every message until the other side answers.

    def encrypt(self, plain: bytes) -> tuple[str, bytes]:
        """The stanza's ``type`` and its bytes."""
        counter = self.sending.index
        cipher, mac, iv = _message_keys(self.sending.step())
        body = _VERSION + pack(
            {
                1: typed(self.ratchet.public),
                2: counter,
                3: self.previous,
                4: cbc.encrypt(cipher, iv, plain),
            }
        )
        message = body + _mac(mac, self.ours, self.theirs, body)
        if self.opening is None:
            return "msg", message
        return "pkmsg", _VERSION + pack({**self.opening, 4: message})

    def decrypt(self, message: bytes) -> bytes:
        """The plaintext. Raises ValueError where the message was tampered with or repeated."""
        body, mac = message[:-8], message[-8:]
        fields = unpack(body[1:])
        ratchet, counter = bytes_of(fields, 1)[1:], number_of(fields, 2)
        cipher, key, iv = _message_keys(self._seed(ratchet, counter))
        if not hmac.compare_digest(mac, _mac(key, self.theirs, self.ours, body)):
            raise ValueError("the message does not verify")
        self.opening = None
        return cbc.decrypt(cipher, iv, bytes_of(fields, 4))

    def _seed(self, ratchet: bytes, counter: int) -> bytes:
        if (ratchet, counter) in self.skipped:
            return self.skipped.pop((ratchet, counter))
        if ratchet not in self.receiving:
            self._turn(ratchet)
        chain = self.receiving[ratchet]
        if counter < chain.index:
            raise ValueError("this message key was used before")
        while chain.index < counter:
            self.skipped[ratchet, chain.index] = chain.step()
        return chain.step()

    def _turn(self, ratchet: bytes) -> None:
        self.root, key = _ratchet(self.root, self.ratchet.agree(ratchet))
        self.receiving[ratchet] = _Chain(key)
        self.previous, self.ratchet = self.sending.index, KeyPair()
        self.root, key = _ratchet(self.root, self.ratchet.agree(ratchet))
        self.sending = _Chain(key)


@dataclass
class Party:
    """One device's keys, and its sessions with others."""

    identity: KeyPair = field(default_factory=KeyPair)
    signed: KeyPair = field(default_factory=KeyPair)
    one_time: KeyPair = field(default_factory=KeyPair)
    registration_id: int = field(default_factory=lambda: int.from_bytes(os.urandom(2), "big") >> 2)
    sessions: dict[str, Session] = field(default_factory=dict)

    def bundle(self) -> Bundle:
        """What the server hands to a stranger."""
        signature = self.identity.sign(typed(self.signed.public))
        keys = (self.signed.public, signature, 1, self.one_time.public)
        return Bundle(self.registration_id, self.identity.public, 1, *keys)

    def encrypt(self, peer: str, plain: bytes, bundle: Bundle | None = None) -> tuple[str, bytes]:
        """A message for *peer*, whose *bundle* begins a session where there is none."""
        if peer not in self.sessions:
            if bundle is None:
                raise ValueError(f"no session with {peer}")
            self.sessions[peer] = self._begin(bundle)
        return self.sessions[peer].encrypt(padded(plain))

    def decrypt(self, peer: str, kind: str, message: bytes) -> bytes:
        """The plaintext of a message from *peer*."""
        if kind == "pkmsg":
            fields = unpack(message[1:])
            message = bytes_of(fields, 4)
            if peer not in self.sessions or self.sessions[peer].opening is not None:
                self.sessions[peer] = self._answer(fields)
        plain = self.sessions[peer].decrypt(message)
        return plain[: -plain[-1]]

    def _begin(self, bundle: Bundle) -> Session:
        base, ratchet = KeyPair(), KeyPair()
        secrets = [
            self.identity.agree(bundle.signed_key),
            base.agree(bundle.identity),
            base.agree(bundle.signed_key),
        ]
        opening: Fields = {2: typed(base.public), 3: typed(self.identity.public)}
        opening |= {5: self.registration_id, 6: bundle.signed_id}
        if bundle.one_time_key is not None and bundle.one_time_id is not None:
            secrets.append(base.agree(bundle.one_time_key))
            opening[1] = bundle.one_time_id
        root, their_chain = _agreement(secrets)
        root, key = _ratchet(root, ratchet.agree(bundle.signed_key))
        session = Session(self.identity.public, bundle.identity, root, ratchet, _Chain(key))
        session.receiving[bundle.signed_key] = _Chain(their_chain)
        session.opening = opening
        return session

    def _answer(self, fields: Fields) -> Session:
        base, identity = bytes_of(fields, 2)[1:], bytes_of(fields, 3)[1:]
        secrets = [
            self.signed.agree(identity),
            self.identity.agree(base),
            self.signed.agree(base),
        ]
        if 1 in fields:
            secrets.append(self.one_time.agree(base))
        root, key = _agreement(secrets)
        return Session(self.identity.public, identity, root, self.signed, _Chain(key))


def padded(plain: bytes) -> bytes:
    """WhatsApp's own padding, under the one of the cipher."""
    padding = 1 + os.urandom(1)[0] % 15
    return plain + bytes([padding]) * padding


def _hkdf(secret: bytes, salt: bytes, label: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=salt, info=label).derive(secret)


def _agreement(secrets: list[bytes]) -> tuple[bytes, bytes]:
    both = _hkdf(b"\xff" * 32 + b"".join(secrets), b"\x00" * 32, b"WhisperText", 64)
    return both[:32], both[32:]


def _ratchet(root: bytes, secret: bytes) -> tuple[bytes, bytes]:
    both = _hkdf(secret, root, b"WhisperRatchet", 64)
    return both[:32], both[32:]


def _message_keys(seed: bytes) -> tuple[bytes, bytes, bytes]:
    keys = _hkdf(seed, b"\x00" * 32, b"WhisperMessageKeys", 80)
    return keys[:32], keys[32:64], keys[64:]


def _mac(key: bytes, sender: bytes, receiver: bytes, body: bytes) -> bytes:
    return hmac.new(key, typed(sender) + typed(receiver) + body, hashlib.sha256).digest()[:8]
