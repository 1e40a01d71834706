"""Linked devices as the server knows them: registered keys, and how a phone links one."""

import base64
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.whatsapp_server.envelopes import Envelope
from tests.whatsapp_server.nodes import Node
from tests.whatsapp_server.ratchet import Bundle, Party


@dataclass
class Device:
    """A linked device: what it registered with, and the keys it left for strangers."""

    noise: bytes
    identity: bytes
    registration_id: int
    signed_id: int
    signed_key: bytes
    signature: bytes
    prekeys: dict[int, bytes] = field(default_factory=dict)
    greeted: bool = False

    def bundle(self) -> Bundle:
        """The device's keys with one of its one-time keys, which is used up by that."""
        one = self.prekeys.popitem() if self.prekeys else (None, None)
        keys = (self.registration_id, self.identity, self.signed_id, self.signed_key)
        return Bundle(*keys, self.signature, *one)


@dataclass(frozen=True)
class Scan:
    """What the phone reads from a pairing code."""

    ref: str
    noise: bytes
    identity: bytes
    adv_secret: bytes

    @classmethod
    def read(cls, code: str) -> "Scan":
        """The fragment of the code's address is comma-separated base64."""
        ref, noise, identity, secret = urlsplit(code).fragment.split(",")[:4]
        return cls(ref, *(base64.b64decode(part) for part in (noise, identity, secret)))


def seal(party: Party, peer: str, device: Device, message: Any, says: Envelope) -> Node:
    """The ``enc`` node for a device; the first one to it begins a session with its keys."""
    bundle = device.bundle() if peer not in party.sessions else None
    kind, sealed = party.encrypt(peer, message.SerializeToString(), bundle)
    return Node("enc", {"v": "2", "type": kind, **says.enc}, sealed)
