"""What a stanza says openly about the message sealed in it.

Facts: ``type`` is text, media, poll or reaction; media name their kind on the ``enc`` node; what
changes another message has an ``edit`` number, and asks not to be shown if it cannot be read; a
poll says whether it is one or a vote. A wrapper is judged by what is inside it.
"""

from dataclasses import dataclass
from typing import Any

from tests.whatsapp_server.nodes import Node, Value

_WRAPPERS = (
    "ephemeralMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "viewOnceMessageV2Extension",
    "documentWithCaptionMessage",
    "lottieStickerMessage",
    "editedMessage",
)
_MEDIA = {
    "imageMessage": "image",
    "videoMessage": "video",
    "ptvMessage": "ptv",
    "audioMessage": "audio",
    "documentMessage": "document",
    "stickerMessage": "sticker",
    "contactMessage": "vcard",
    "contactsArrayMessage": "contact_array",
    "locationMessage": "location",
    "liveLocationMessage": "livelocation",
    "buttonsResponseMessage": "buttons_response",
    "listResponseMessage": "list_response",
    "interactiveResponseMessage": "native_flow_response",
    "orderMessage": "order",
    "productMessage": "product",
}
_EDITED, _PINNED, _TAKEN_BACK = "1", "2", "7"
_REVOKE, _EDIT = 0, 14


@dataclass(frozen=True)
class Envelope:
    """Attributes of the stanza and of its ``enc`` node, and more children."""

    attrs: dict[str, Value]
    enc: dict[str, Value]
    more: tuple[Node, ...]


def envelope(message: Any) -> Envelope:
    """What the stanza around this message says."""
    inner = message
    while wrapper := next((name for name in _WRAPPERS if inner.HasField(name)), None):
        inner = getattr(inner, wrapper).message
    fields = {descriptor.name for descriptor, _ in inner.ListFields()}
    media = next((_media(inner, name) for name in _MEDIA if name in fields), "")
    number = _edit(inner, fields)
    hidden = number or fields & {"reactionMessage", "pollUpdateMessage"}
    return Envelope(
        {"type": _type(fields, media), "edit": number},
        {"mediatype": media, "decrypt-fail": "hide" if hidden else ""},
        tuple(_poll(fields)),
    )


def _type(fields: set[str], media: str) -> str:
    if "reactionMessage" in fields:
        return "reaction"
    if any(name.startswith("poll") for name in fields):
        return "poll"
    return "media" if media else "text"


def _media(message: Any, name: str) -> str:
    if name == "audioMessage" and message.audioMessage.PTT:
        return "ptt"
    if name == "videoMessage" and message.videoMessage.gifPlayback:
        return "gif"
    return _MEDIA[name]


def _edit(message: Any, fields: set[str]) -> str:
    if "pinInChatMessage" in fields:
        return _PINNED
    if "reactionMessage" in fields and not message.reactionMessage.text:
        return _TAKEN_BACK
    if "protocolMessage" not in fields or not message.protocolMessage.HasField("key"):
        return ""
    return {_REVOKE: _TAKEN_BACK, _EDIT: _EDITED}.get(message.protocolMessage.type, "")


def _poll(fields: set[str]) -> list[Node]:
    if "pollUpdateMessage" in fields:
        return [Node("meta", {"polltype": "vote"})]
    created = any(name.startswith("pollCreation") for name in fields)
    return [Node("meta", {"polltype": "creation"})] if created else []
