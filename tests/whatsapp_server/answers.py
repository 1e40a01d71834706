"""What a client asks the server for, by the namespace of its question.

A question without an answer here gets an empty result, which a client bears for everything that
it does not need at once; it is counted, so that what a new client asks is seen.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from tests.whatsapp_server import linking
from tests.whatsapp_server.nodes import Jid, Node

if TYPE_CHECKING:
    from tests.whatsapp_server.connection import Connection
    from tests.whatsapp_server.server import WhatsAppServer

_PRIVACY = ("groupadd", "last", "status", "profile", "readreceipts", "online", "calladd")


def answer(connection: "Connection", node: Node) -> Node | None:
    """The content of the result; a node ``error`` makes it a refusal."""
    name = node.get("xmlns")
    if name in ANSWERS:
        return ANSWERS[name](connection, node)
    if name not in TAKEN:
        connection.server.unanswered[name] += 1
    return None


def keys(connection: "Connection", node: Node) -> Node | None:
    """Count, storing and handing out of one-time keys."""
    if node.child("count").tag:
        return Node("count", {"value": str(max(1, len(connection.device.prekeys)))})
    if node.get("type") == "set":
        for key in node.child("list").children:
            number = int.from_bytes(key.child("id").data, "big")
            connection.device.prekeys[number] = key.child("value").data
        return None
    wanted = [one.attrs["jid"] for one in node.child("key").children]
    jids = [jid for jid in wanted if isinstance(jid, Jid)]
    return Node("list", content=[bundle_of(connection.server, jid) for jid in jids])


def privacy(_connection: "Connection", node: Node) -> Node | None:
    """Everybody may see everything; read receipts are on. Giving trust to others is taken."""
    if node.get("type") == "set":
        return None
    settings = [Node("category", {"name": name, "value": "all"}) for name in _PRIVACY]
    return Node("privacy", content=settings)


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


def who_has_what(connection: "Connection", node: Node) -> Node:
    """Which devices and which hidden address somebody has; here customers have a phone alone."""
    asked = node.child("usync", "list").children
    users = [_user(connection.server, one.attrs["jid"]) for one in asked if "jid" in one.attrs]
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


def group(connection: "Connection", node: Node) -> Node | None:
    """What a group is and who is in it. A group that the owner is not in is refused."""
    to = node.attrs["to"]
    room = connection.server.rooms.get(to) if isinstance(to, Jid) else None
    return room.info() if room else refusal(403, "forbidden")


def media(connection: "Connection", _node: Node) -> Node | None:
    """Where media lie."""
    return connection.server.media.connection()


def devices(connection: "Connection", node: Node) -> Node | None:
    """A device asks to be linked by letters, or gives itself up."""
    if node.child("link_code_companion_reg").tag:
        return linking.answer(connection, node)
    jid = node.child("remove-companion-device").attrs.get("jid")
    if connection.owner is not None and isinstance(jid, Jid):
        connection.owner.devices.pop(jid.device, None)
    return None


def settings(connection: "Connection", node: Node) -> Node | None:
    """The account's settings since the version that the device has."""
    return connection.owner.state.answer(node) if connection.owner else None


def refusal(code: int, words: str) -> Node:
    """What the server answers where it does not do what was asked."""
    return Node("error", {"code": str(code), "text": words})


ANSWERS: Mapping[str, Callable[["Connection", Node], Node | None]] = MappingProxyType(
    {
        "encrypt": keys,
        "usync": who_has_what,
        "privacy": privacy,
        "w:g2": group,
        "w:m": media,
        "w:sync:app:state": settings,
        "md": devices,
    }
)
# What needs no more than a result: to be made active, and a ping.
TAKEN = frozenset({"passive", "w:p"})
