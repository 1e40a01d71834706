"""What the phone tells a new device of its past: names, chats, and which number has which address.

Facts: a history is a deflated protobuf, inside the notice of it or on the media host; the notice
is a message among the owner's own devices. A device answers it with a receipt of type
``hist_sync`` and deletes the file.
"""

import zlib
from collections.abc import Iterable
from typing import Any

from tests.whatsapp_server.media import MediaHost
from tests.whatsapp_server.people import Customer
from tests.whatsapp_server.protos import Protos

_NOTICE = 5
_RECENT, _NAMES = 3, 4


def names(protos: Protos, people: Iterable[Customer]) -> Any:
    """The names by which people call themselves, inside the notice."""
    known = [{"ID": str(one.jid or one.lid_jid), "pushname": one.name} for one in people]
    history = protos.history.HistorySync(syncType=_NAMES, pushnames=known)
    packed = zlib.compress(history.SerializeToString())
    return _notice(protos, _NAMES, {"initialHistBootstrapInlinePayload": packed})


def chats(protos: Protos, media: MediaHost, said: Iterable[tuple[Customer, str, str]]) -> Any:
    """Messages of before (who, id, text), as a file on the media host."""
    conversations, pairs = [], []
    for customer, wa_id, text in said:
        chat = str(customer.lid_jid)
        key = {"remoteJID": chat, "fromMe": False, "ID": wa_id}
        message = {"key": key, "message": {"conversation": text}, "messageTimestamp": 1}
        conversations.append({"ID": chat, "messages": [{"message": message}]})
        if customer.jid is not None:
            pairs.append({"pnJID": str(customer.jid), "lidJID": chat})
    history = protos.history.HistorySync(
        syncType=_RECENT, conversations=conversations, phoneNumberToLidMappings=pairs
    )
    file = media.store(zlib.compress(history.SerializeToString()), "md-msg-hist")
    reference = file.reference()
    del reference["URL"]
    return _notice(protos, _RECENT, {**reference, "chunkOrder": 1, "progress": 100})


def _notice(protos: Protos, kind: int, body: dict[str, Any]) -> Any:
    notice = {"syncType": kind, **body}
    words = {"type": _NOTICE, "historySyncNotification": notice}
    return protos.e2e.Message(protocolMessage=words)
