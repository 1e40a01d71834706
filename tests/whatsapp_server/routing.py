"""Brings what a client sends to whom it is for.

Facts: a message holds one sealed copy for each device, the account's own ones too; the server's
``ack`` releases the sender. A copy that was asked for again, and one for the own phone alone,
stand by themselves in the message.
"""

import time
from typing import TYPE_CHECKING

from tests.whatsapp_server import signs
from tests.whatsapp_server.nodes import Jid, Node

if TYPE_CHECKING:
    from tests.whatsapp_server.connection import Connection


async def route(connection: "Connection", node: Node) -> None:
    """Give each copy to its device, then ack; who cannot read one asks for it again."""
    faults = connection.faults
    if faults.cuts_before > 0:
        faults.cuts_before -= 1
        connection.drop()
        return
    alone = [node] if node.child("enc").tag else []
    for copy in (*node.child("participants").children, *alone):
        to = copy.attrs.get("jid", node.attrs["to"])
        if isinstance(to, Jid):
            await _hand(connection, node, to, copy.child("enc"))
    if faults.cuts_after > 0:
        faults.cuts_after -= 1
        connection.drop()
    elif not faults.withholds_acks:
        attrs = {"class": "message", "id": node.get("id"), "from": node.attrs["to"]}
        await connection.send(Node("ack", attrs | {"t": str(int(time.time()))}))


async def _hand(connection: "Connection", node: Node, to: Jid, sealed: Node) -> None:
    owner, server = connection.owner, connection.server
    if owner is None:
        return
    sender = owner.lid_jid(connection.number)
    customer = server.customer(to)
    if customer is not None:
        if not customer.receive(node, sender, sealed):
            await server.deliver(owner, signs.retry(customer, node.get("id")))
    elif server.remembers and to.user in (owner.number, owner.lid):
        owner.receive(to.device, node, sender, sealed)
