"""Who a WhatsApp address is: the value of ``customers.phone`` and the LID beside it."""

import hashlib
from collections.abc import Iterable
from typing import Any

from models.values import Address

PHONE_SERVERS = frozenset({"s.whatsapp.net", "hosted"})
LID_SERVERS = frozenset({"lid", "hosted.lid"})
_LONGEST_LID = 16  # With its prefix it must fit a column of 20 characters.


def address_of(jids: Iterable[Any]) -> Address | None:
    """The person behind one or more addresses of theirs, or None if it is no person's."""
    phone = lid = None
    for jid in jids:
        if jid.IsEmpty or not jid.User.isdigit() or jid.User == "0":
            continue  # Digits also rule out a text that came as broken bytes.
        if jid.Server in PHONE_SERVERS:
            phone = phone or jid.User
        elif jid.Server in LID_SERVERS:
            lid = lid or jid.User
    return Address(phone, lid) if phone or lid else None


def customer_phone(address: Address) -> str:
    """``+`` and the digits exactly as WhatsApp has them, else ``lid:…``, else ``lidh:…``."""
    if address.phone:
        return f"+{address.phone}"
    lid = address.lid or ""
    if len(lid) <= _LONGEST_LID:
        return f"lid:{lid}"
    return f"lidh:{hashlib.sha256(lid.encode()).hexdigest()[:15]}"


def jid_text(jid: Any) -> str:
    """``user@server`` without the device, the form in which a chat is stored."""
    return f"{jid.User}@{jid.Server}"


def jid_parts(chat: str) -> tuple[str, str]:
    """The user and the server of a stored chat."""
    user, _, server = chat.rpartition("@")
    return user, server
