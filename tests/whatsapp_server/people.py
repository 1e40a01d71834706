"""Who uses the server: owners with a phone and linked devices, and customers who write."""

import asyncio
import hmac
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.whatsapp_server.app_state import AppState
from tests.whatsapp_server.devices import Device, Scan, seal
from tests.whatsapp_server.envelopes import Envelope, envelope
from tests.whatsapp_server.faults import Faults
from tests.whatsapp_server.keys import KeyPair
from tests.whatsapp_server.nodes import Jid, Node, Value
from tests.whatsapp_server.protos import Protos
from tests.whatsapp_server.ratchet import Party


class Owner:
    """A business owner's account: the phone, and the devices it has linked."""

    def __init__(self, number: str, lid: str, state: AppState) -> None:
        self.number = number
        self.lid = lid
        self.state = state
        self.passkey = False
        self.phone = Party()
        self.others: dict[int, Party] = {}
        self.copies: list[tuple[int, str, bytes]] = []
        self.devices: dict[int, Device] = {}
        self.queue: list[Node] = []
        self.unreceipted: dict[str, Node] = {}
        self.faults = Faults()
        self.logins = 0

    def jid(self, device: int = 0) -> Jid:
        """The phone-number address of the phone or of a linked device."""
        return Jid(self.number, "s.whatsapp.net", device)

    def lid_jid(self, device: int = 0) -> Jid:
        """The hidden address of the phone or of a linked device."""
        return Jid(self.lid, "lid", device)

    @property
    def client(self) -> tuple[int, Device]:
        """The device that runs the real client (here one)."""
        return next(iter(self.devices.items()))

    def link(self, device: int) -> Party:
        """One more linked device of the owner's, which is no client of ours."""
        return self.others.setdefault(device, Party())

    def party(self, device: int) -> Party:
        """The keys of the phone or of a linked device that is none of ours."""
        return self.others[device] if device else self.phone

    def types(self, customer: "Customer", text: str, *, wa_id: str, protos: Protos) -> Node:
        """The copy that a linked device gets of what is typed on the phone."""
        return self.says(customer, protos.e2e.Message(conversation=text), wa_id=wa_id)

    def says(
        self,
        customer: "Customer | None",
        message: Any,
        *,
        wa_id: str,
        device: int = 0,
        at: float | None = None,
    ) -> Node:
        """The copy of any message from the phone or another device, to nobody: to oneself."""
        to = _Recipient.of(self, customer)
        copy = type(message)()
        copy.deviceSentMessage.destinationJID = str(to.chat)
        copy.deviceSentMessage.message.CopyFrom(message)
        says = envelope(message)
        times: dict[str, Value] = {"id": wa_id, "t": str(int(at or time.time()))}
        attrs = {"from": to.own(device), "recipient": to.chat, **says.attrs, **times, **to.attrs}
        return Node("message", attrs, [self.seal(device, copy, says), *says.more])

    def peer(self, message: Any, *, wa_id: str) -> Node:
        """A message of the phone's to its linked device, which is in no chat."""
        attrs: dict[str, Value] = {"id": wa_id, "t": str(int(time.time())), "type": "text"}
        attrs |= {"from": self.lid_jid(), "category": "peer"}
        return Node("message", attrs, [self.seal(0, message, envelope(message))])

    def seal(self, device: int, message: Any, says: Envelope) -> Node:
        """A message for the client from another of the owner's devices."""
        number, client = self.client
        return seal(self.party(device), str(self.lid_jid(number)), client, message, says)

    def receive(self, device: int, node: Node, sender: Jid, enc: Node) -> None:
        """What the client sent to somebody, as another of the owner's devices sees it."""
        try:
            plain = self.party(device).decrypt(str(sender), enc.get("type"), enc.data)
        except ValueError:
            return
        self.copies.append((device, node.get("id"), plain))

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
        self.misses = 0  # So many messages will be lost on the phone, and asked for again.
        self.off = False  # The phone is switched off; the server keeps what comes, in order.
        self._kept: list[tuple[Node, Jid, Node]] = []
        self._protos = protos
        self.addressed_by = addressed_by

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
        says = envelope(message)
        attrs = {"id": wa_id, "t": str(int(at or time.time())), "notify": self.name}
        content = [self.seal(owner, message, says), *says.more]
        return Node("message", {**says.attrs, **attrs, **self.addresses()}, content)

    def withholds(self, wa_id: str, kind: str = "view_once") -> Node:
        """A message of which linked devices learn only that the phone has it."""
        attrs = {"id": wa_id, "t": str(int(time.time())), "type": "media", "notify": self.name}
        content = [Node("unavailable", {"type": kind})]
        return Node("message", {**attrs, **self.addresses()}, content)

    def seal(self, owner: Owner, message: Any, says: Envelope) -> Node:
        """A message for the owner's client alone."""
        number, client = owner.client
        return seal(self.party, str(owner.lid_jid(number)), client, message, says)

    def switch_on(self) -> None:
        """The phone is back, and gets what the server has kept for it."""
        self.off, kept, self._kept = False, self._kept, []
        for node, sender, enc in kept:
            self.receive(node, sender, enc)

    def receive(self, node: Node, sender: Jid, enc: Node) -> bool:
        """Read what an owner's device sent, or say that it could not be read."""
        if self.off:
            self._kept.append((node, sender, enc))
            return True
        try:
            plain = self.party.decrypt(str(sender), enc.get("type"), enc.data)
        except ValueError:
            self.unreadable.append(node.get("id"))
            return False
        if self.misses > 0:
            self.misses -= 1
            return False
        message = self._protos.e2e.Message.FromString(plain)
        text = message.conversation or message.extendedTextMessage.text
        chat = node.attrs["to"]
        if isinstance(chat, Jid):
            self.inbox.put_nowait(Received(node.get("id"), text, message, chat, sender))
        return True

    def addresses(self) -> dict[str, Value]:
        """From whom a stanza is, by the number or by the hidden address."""
        if self.addressed_by == "number" and self.jid is not None:
            return {"from": self.jid, "sender_lid": self.lid_jid, "addressing_mode": "pn"}
        known: dict[str, Value] = {"from": self.lid_jid, "addressing_mode": "lid"}
        return known | ({"sender_pn": self.jid} if self.jid is not None else {})


@dataclass(frozen=True)
class _Recipient:
    """Whom an own message went to, and by which of two addresses."""

    chat: Jid
    attrs: dict[str, Value]
    own: Callable[[int], Jid]

    @classmethod
    def of(cls, owner: Owner, customer: Customer | None) -> "_Recipient":
        if customer is None:
            return cls(owner.lid_jid(), {"addressing_mode": "lid"}, owner.lid_jid)
        if customer.addressed_by == "number" and customer.jid is not None:
            other: dict[str, Value] = {"peer_recipient_lid": customer.lid_jid}
            return cls(customer.jid, other | {"addressing_mode": "pn"}, owner.jid)
        known: dict[str, Value] = {"addressing_mode": "lid"}
        if customer.jid is not None:
            known["peer_recipient_pn"] = customer.jid
        return cls(customer.lid_jid, known, owner.lid_jid)
