"""What the server knows of others: their keys, their devices, their hidden addresses."""

from typing import TYPE_CHECKING

from tests.whatsapp_server.nodes import Jid, Node

if TYPE_CHECKING:
    from tests.whatsapp_server.server import WhatsAppServer


def bundle_of(server: "WhatsAppServer", jid: Jid) -> Node:
    """The keys with which a stranger writes to an address first."""
    bundle = server.party(jid).bundle()
    signed = [
        Node("id", content=bundle.signed_id.to_bytes(3, "big")),
        Node("value", content=bundle.signed_key),
        Node("signature", content=bundle.signature),
    ]
    one_time = [
        Node("id", content=(bundle.one_time_id or 0).to_bytes(3, "big")),
        Node("value", content=bundle.one_time_key or b""),
    ]
    content = [
        Node("registration", content=bundle.registration_id.to_bytes(4, "big")),
        Node("type", content=b"\x05"),
        Node("identity", content=bundle.identity),
        Node("skey", content=signed),
        Node("key", content=one_time),
    ]
    return Node("user", {"jid": jid}, content)


def who_has_what(server: "WhatsAppServer", node: Node) -> Node:
    """Which devices and which hidden address somebody has; here customers have a phone alone."""
    asked = node.child("usync", "list").children
    users = [_user(server, one.attrs["jid"]) for one in asked if "jid" in one.attrs]
    attrs = {"sid": node.child("usync").get("sid"), "mode": "query", "last": "true"}
    return Node("usync", attrs | {"index": "0"}, [Node("list", content=users)])


def _user(server: "WhatsAppServer", jid: str | Jid) -> Node:
    if not isinstance(jid, Jid):
        raise TypeError(f"{jid} is no address")
    known = [Node("device", {"id": str(number)}) for number in server.devices_of(jid)]
    devices = Node("device-list", content=known)
    content = [Node("devices", content=[devices])]
    if jid.server != "lid":
        content.append(Node("lid", {"val": server.lid_of(jid)}))
    return Node("user", {"jid": jid}, content)
