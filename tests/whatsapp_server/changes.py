"""Messages about messages: reactions, edits, revokes, votes, and what a chat is told about itself.

Facts: an edit comes inside ``editedMessage`` and is a ``protocolMessage`` itself; a vote is
encrypted with a key made from the secret of the poll's message, the ids and the two people.
"""

import hashlib
import os
import time
from collections.abc import Iterable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.whatsapp_server.contents import Words, wrapped
from tests.whatsapp_server.protos import Protos

_REVOKE, _DISAPPEARING, _EDIT = 0, 3, 14


def reaction(target: Words, emoji: str) -> Words:
    """A sign on a message; none takes it back."""
    now = int(time.time() * 1000)
    return {"reactionMessage": {"key": target, "text": emoji, "senderTimestampMS": now}}


def revoke(target: Words) -> Words:
    """Take a message back from everybody."""
    return {"protocolMessage": {"key": target, "type": _REVOKE}}


def edit(target: Words, new: Words) -> Words:
    """Put other words in place of a message's."""
    return wrapped("editedMessage", edit_in_the_open(target, new))


def edit_in_the_open(target: Words, new: Words) -> Words:
    """An edit without its wrapper, as some clients send it."""
    now = int(time.time() * 1000)
    body = {"key": target, "type": _EDIT, "editedMessage": new, "timestampMS": now}
    return {"protocolMessage": body}


def disappearing(seconds: int) -> Words:
    """The chat's messages disappear after so long from now on."""
    return {"protocolMessage": {"type": _DISAPPEARING, "ephemeralExpiration": seconds}}


def pin(target: Words) -> Words:
    """Keep a message at the top of the chat."""
    now = int(time.time() * 1000)
    return {"pinInChatMessage": {"key": target, "type": 1, "senderTimestampMS": now}}


def option_hash(option: str) -> bytes:
    """What stands for an option in a vote."""
    return hashlib.sha256(option.encode()).digest()


def vote(protos: Protos, target: Words, secret: bytes, voter: str, options: Iterable[str]) -> Words:
    """The person *voter* (an address) chooses in a poll of their own.

    The label of the key is the poll's id, its author, the voter, and ``Poll Vote``.
    """
    hashes = [option_hash(option) for option in options]
    plain = protos.e2e.PollVoteMessage(selectedOptions=hashes).SerializeToString()
    label = f"{target['ID']}{voter}{voter}Poll Vote".encode()
    sealing = AESGCM(HKDF(SHA256(), 32, salt=None, info=label).derive(secret))
    iv, known = os.urandom(12), f"{target['ID']}\0{voter}".encode()
    sealed = {"encPayload": sealing.encrypt(iv, plain, known), "encIV": iv}
    now = int(time.time() * 1000)
    body = {"pollCreationMessageKey": target, "vote": sealed, "senderTimestampMS": now}
    return {"pollUpdateMessage": body}
