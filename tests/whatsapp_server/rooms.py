"""Where more than two talk: groups, status updates, broadcast lists and newsletters.

Facts: a stanza comes from the room, with who wrote it as ``participant``. In a group and in status
the message is sealed with the author's sender key, which a device is handed in front of the first
one; a broadcast list's message is sealed for each device as in a chat of two; a newsletter's is
not sealed at all.
"""

import time
from typing import Any

from tests.whatsapp_server.envelopes import Envelope, envelope
from tests.whatsapp_server.nodes import Jid, Node, Value
from tests.whatsapp_server.people import Customer, Owner
from tests.whatsapp_server.protos import Protos
from tests.whatsapp_server.sender_keys import SenderKey

STATUS = Jid("status", "broadcast")


class Room:
    """A group, or everybody's status, as one owner's client gets it."""

    def __init__(self, jid: Jid, owner: Owner, protos: Protos, *, name: str = "") -> None:
        self.jid, self.name = jid, name
        self.members: list[Customer] = []
        self._owner = owner
        self._protos = protos
        self._keys: dict[str, SenderKey] = {}

    def writes(self, author: Customer | None, message: Any, *, wa_id: str) -> Node:
        """Something that a customer wrote there, or the owner's own phone."""
        says = envelope(message)
        jid = author.lid_jid if author else self._owner.lid_jid()
        content = []
        if str(jid) not in self._keys:
            self._keys[str(jid)] = SenderKey()
            content.append(self._hand_over(author, self._keys[str(jid)]))
        sealed = self._keys[str(jid)].encrypt(message.SerializeToString())
        content.append(Node("enc", {"v": "2", "type": "skmsg", **says.enc}, sealed))
        number = author.jid if author else self._owner.jid()
        attrs = _from(self.jid, jid, number) | _common(says, wa_id, author.name if author else "")
        return Node("message", attrs, [*content, *says.more])

    def info(self) -> Node:
        """Who is in the group, for whoever asks."""
        everybody = [self._owner.lid_jid(), *(member.lid_jid for member in self.members)]
        people = [Node("participant", {"jid": jid}) for jid in everybody]
        attrs: dict[str, Value] = {"id": self.jid.user, "subject": self.name, "creation": "1"}
        return Node("group", attrs | {"addressing_mode": "lid"}, people)

    def _hand_over(self, author: Customer | None, key: SenderKey) -> Node:
        message = self._protos.e2e.Message()
        message.senderKeyDistributionMessage.groupID = str(self.jid)
        handed = message.senderKeyDistributionMessage
        handed.axolotlSenderKeyDistributionMessage = key.distribution()
        if author is None:
            return self._owner.seal(0, message, _PLAIN)
        return author.seal(self._owner, message, _PLAIN)


def broadcast(
    owner: Owner, author: Customer, message: Any, *, wa_id: str, number: str = "1700000000"
) -> Node:
    """A message to many at once, as each of them gets it."""
    says = envelope(message)
    room = _from(Jid(number, "broadcast"), author.lid_jid, author.jid)
    attrs = room | _common(says, wa_id, author.name)
    return Node("message", attrs, [author.seal(owner, message, says), *says.more])


def newsletter(number: str, message: Any, *, wa_id: str, place: int = 1) -> Node:
    """A post that everybody may read."""
    says = envelope(message)
    body = Node("plaintext", says.enc, message.SerializeToString())
    attrs: dict[str, Value] = {"from": Jid(number, "newsletter"), "server_id": str(place)}
    return Node("message", attrs | _common(says, wa_id, ""), [body])


_PLAIN = Envelope({}, {}, ())


def _from(room: Jid, author: Jid, number: Jid | None) -> dict[str, Value]:
    attrs: dict[str, Value] = {"from": room, "participant": author, "addressing_mode": "lid"}
    return attrs | ({"participant_pn": number} if number else {})


def _common(says: Envelope, wa_id: str, name: str) -> dict[str, Value]:
    return {**says.attrs, "id": wa_id, "t": str(int(time.time())), "notify": name}
