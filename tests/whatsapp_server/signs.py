"""What people tell without a message: receipts, typing and calls, in both directions.

Facts: a receipt names one message and may list more; without a type it says delivered. Who types
is told by a child of ``chatstate`` named composing (with ``media`` audio while a voice is
recorded) or paused. A call is offered and terminated by two stanzas with the same call id;
the reason ``accepted_elsewhere`` tells the account's other devices that one of them has taken it.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from tests.whatsapp_server.nodes import Jid, Node, Value
from tests.whatsapp_server.people import Customer, Owner

DELIVERED = ""


def receipt(customer: Customer, *wa_ids: str, kind: str = DELIVERED) -> Node:
    """The customer's phone has got messages, or shown (``read``) or ``played`` them."""
    first, *others = wa_ids
    attrs = {**customer.addresses(), "id": first, "type": kind, "t": _now()}
    return Node("receipt", attrs, _list(others))


def retry(customer: Customer, wa_id: str) -> Node:
    """The customer's phone could not read a message and asks for it again."""
    attrs = {**customer.addresses(), "id": wa_id, "type": "retry", "t": _now()}
    again = Node("retry", {"count": "1", "id": wa_id, "t": _now(), "v": "1"})
    number = customer.party.registration_id.to_bytes(4, "big")
    return Node("receipt", attrs, [again, Node("registration", content=number)])


def read_on_phone(owner: Owner, customer: Customer, *wa_ids: str) -> Node:
    """The owner has opened the chat on the phone, which the other devices are told."""
    first, *others = wa_ids
    attrs: dict[str, Value] = {"from": owner.lid_jid(), "type": "read-self"}
    attrs["recipient"] = customer.lid_jid
    return Node("receipt", {**attrs, "id": first, "t": _now()}, _list(others))


def typing(customer: Customer, *, on: bool = True, voice: bool = False) -> Node:
    """The customer writes or records, or has stopped; it is never kept for later."""
    media: dict[str, Value] = {"media": "audio"} if voice else {}
    child = Node("composing", media) if on else Node("paused")
    return Node("chatstate", customer.addresses(), [child])


def call(customer: Customer, call_id: str, *, video: bool = False) -> Node:
    """The customer's phone rings ours."""
    content = [Node("audio", {"enc": "opus", "rate": "16000"})]
    if video:
        content.append(Node("video", {"dec": "H264"}))
    return _call(customer, "offer", call_id, content=content)


def hang_up(customer: Customer, call_id: str, reason: str = "timeout") -> Node:
    """The call is over: nobody answered, the customer gave up, or another device has it."""
    return _call(customer, "terminate", call_id, reason=reason)


def pick_up(customer: Customer, call_id: str) -> Node:
    """Somebody took the call."""
    return _call(customer, "accept", call_id)


@dataclass(frozen=True)
class Sign:
    """One thing that the client told a person.

    ``kind`` is a receipt's type (``delivered`` where it has none), or ``composing``,
    ``recording`` or ``paused``.
    """

    kind: str
    to: Jid
    ids: tuple[str, ...] = ()


def signs(seen: Iterable[Node]) -> list[Sign]:
    """What the client told, among all the stanzas that the server has seen."""
    told = []
    for node in seen:
        to = node.attrs.get("to")
        if not isinstance(to, Jid):
            continue
        if node.tag == "receipt":
            items = [item.get("id") for item in node.child("list").children]
            told.append(Sign(node.get("type") or "delivered", to, (node.get("id"), *items)))
        elif node.tag == "chatstate":
            (child,) = node.children
            told.append(Sign("recording" if child.get("media") else child.tag, to))
    return told


def _call(
    customer: Customer, step: str, call_id: str, *, content: Iterable[Node] = (), **more: str
) -> Node:
    addresses = customer.addresses()
    child: dict[str, Value] = {"call-id": call_id, "call-creator": addresses["from"], **more}
    if customer.jid is not None:
        child["caller_pn"] = customer.jid
    outer = {"from": addresses["from"], "id": f"{call_id}-{step}", "t": _now()}
    described = {"platform": "android", "version": "2.26.31", "notify": customer.name}
    return Node("call", {**outer, **described}, [Node(step, child, list(content))])


def _list(wa_ids: Iterable[str]) -> list[Node] | None:
    items = [Node("item", {"id": wa_id}) for wa_id in wa_ids]
    return [Node("list", content=items)] if items else None


def _now() -> str:
    return str(int(time.time()))
