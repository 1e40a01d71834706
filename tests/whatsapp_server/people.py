"""Who uses the server: owners with a phone and linked devices, and customers who write."""

import asyncio
import base64
import hmac
import os
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.whatsapp_server.keys import KeyPair
from tests.whatsapp_server.nodes import Jid, Node
from tests.whatsapp_server.protos import Protos
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


class Owner:
    """A business owner's account: the phone, and the devices it has linked."""

    def __init__(self, number: str, lid: str) -> None:
        self.number = number
        self.lid = lid
        self.phone = Party()
        self.devices: dict[int, Device] = {}
        self.queue: list[Node] = []

    def jid(self, device: int = 0) -> Jid:
        """The phone-number address of the phone or of a linked device."""
        return Jid(self.number, "s.whatsapp.net", device)

    def lid_jid(self, device: int = 0) -> Jid:
        """The hidden address of the phone or of a linked device."""
        return Jid(self.lid, "lid", device)

    def types(self, customer: "Customer", text: str, *, wa_id: str, protos: Protos) -> Node:
        """The copy that a linked device gets of what is typed on the phone."""
        number, device = next(iter(self.devices.items()))
        peer = str(self.lid_jid(number))
        bundle = device.bundle() if peer not in self.phone.sessions else None
        message = protos.e2e.Message()
        message.deviceSentMessage.destinationJID = str(customer.lid_jid)
        message.deviceSentMessage.message.conversation = text
        kind, sealed = self.phone.encrypt(peer, message.SerializeToString(), bundle)
        attrs: dict[str, str | Jid] = {"from": self.lid_jid(), "recipient": customer.lid_jid}
        attrs |= {"id": wa_id, "type": "text", "t": str(int(time.time())), "addressing_mode": "lid"}
        if customer.jid is not None:
            attrs["peer_recipient_pn"] = customer.jid
        return Node("message", attrs, [Node("enc", {"v": "2", "type": kind}, sealed)])

    def identity_for(self, scan: Scan, number: int, protos: Protos) -> bytes:
        """The signed identity of a new device, sealed with the secret of the code."""
        adv = protos.adv
        details = adv.ADVDeviceIdentity(
            rawID=int.from_bytes(os.urandom(3), "big"), timestamp=int(time.time()), keyIndex=number
        ).SerializeToString()
        signed = adv.ADVSignedDeviceIdentity(
            details=details,
            accountSignatureKey=self.phone.identity.public,
            accountSignature=self.phone.identity.sign(b"\x06\x00" + details + scan.identity),
        ).SerializeToString()
        sealed = adv.ADVSignedDeviceIdentityHMAC(
            details=signed, HMAC=hmac.digest(scan.adv_secret, signed, "sha256")
        )
        return bytes(sealed.SerializeToString())


@dataclass(frozen=True)
class Received:
    """A message that reached a customer's phone."""

    id: str
    text: str
    message: Any
    chat: Jid
    sender: Jid


class Customer:
    """Somebody who writes to an owner from a phone of their own."""

    def __init__(
        self, number: str | None, lid: str, name: str, *, protos: Protos, addressed_by: str = "lid"
    ) -> None:
        self.number, self.lid, self.name = number, lid, name
        self.party = Party(signed=KeyPair())
        self.inbox: asyncio.Queue[Received] = asyncio.Queue()
        self.unreadable: list[str] = []
        self._protos = protos
        self._addressed_by = addressed_by

    @property
    def lid_jid(self) -> Jid:
        """The hidden address."""
        return Jid(self.lid, "lid")

    @property
    def jid(self) -> Jid | None:
        """The number's address, where it is shown."""
        return Jid(self.number, "s.whatsapp.net") if self.number else None

    def write(self, owner: Owner, text: str, *, wa_id: str, at: float | None = None) -> Node:
        """The stanza that carries *text* to each of the owner's linked devices (here one)."""
        message = self._protos.e2e.Message(conversation=text)
        return self.send(owner, message, wa_id=wa_id, at=at)

    def send(self, owner: Owner, message: Any, *, wa_id: str, at: float | None = None) -> Node:
        """The stanza that carries any message."""
        number, device = next(iter(owner.devices.items()))
        peer = str(owner.lid_jid(number))
        bundle = device.bundle() if peer not in self.party.sessions else None
        kind, sealed = self.party.encrypt(peer, message.SerializeToString(), bundle)
        attrs = {"id": wa_id, "type": "text", "t": str(int(at or time.time())), "notify": self.name}
        body = Node("enc", {"v": "2", "type": kind}, sealed)
        return Node("message", attrs | self._addresses(), [body])

    def receive(self, node: Node, sender: Jid, enc: Node) -> None:
        """Read what an owner's device sent."""
        try:
            plain = self.party.decrypt(str(sender), enc.get("type"), enc.data)
        except ValueError:
            self.unreadable.append(node.get("id"))
            return
        message = self._protos.e2e.Message.FromString(plain)
        text = message.conversation or message.extendedTextMessage.text
        chat = node.attrs["to"]
        if isinstance(chat, Jid):
            self.inbox.put_nowait(Received(node.get("id"), text, message, chat, sender))

    def _addresses(self) -> dict[str, str | Jid]:
        if self._addressed_by == "number" and self.jid is not None:
            return {"from": self.jid, "sender_lid": self.lid_jid, "addressing_mode": "pn"}
        known: dict[str, str | Jid] = {"from": self.lid_jid, "addressing_mode": "lid"}
        return known | ({"sender_pn": self.jid} if self.jid is not None else {})
