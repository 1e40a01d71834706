"""What a message holds: its content, the change of another message, or what nobody knows yet."""

import base64
from dataclasses import replace
from typing import Any

from bot.whatsapp.content_readers import MANY, READERS, Content
from bot.whatsapp.wire_text import FACT, tidy
from models.values import Kind, Quote

RAW_BYTES = 64 * 1024
"""As much of an unknown message as the ledger keeps."""

_WRAPPERS = 4

# What a program says to a program, or about another message: nobody waits for an answer to it.
_QUIET = {
    "senderKeyDistributionMessage",
    "fastRatchetKeySenderKeyDistributionMessage",
    "messageContextInfo",
    "protocolMessage",
    "deviceSentMessage",
    "encReactionMessage",
    "keepInChatMessage",
    "pinInChatMessage",
    "albumMessage",
    "callLogMesssage",
    "bcallMessage",
    "call",
    "chat",
    "messageHistoryBundle",
    "messageHistoryNotice",
    "placeholderMessage",
    "secretEncryptedMessage",
    "encCommentMessage",
    "encEventResponseMessage",
    "requestPhoneNumberMessage",
    "stickerSyncRmrMessage",
    "scheduledCallEditMessage",
    "statusMentionMessage",
    "groupStatusMentionMessage",
    "statusNotificationMessage",
    "groupRootKeyShare",
    "rootSecretDistributeMessage",
    "limitSharingMessage",
    "acp2SettingMessage",
}


def content_of(message: Any) -> Content | None:
    """The content of an unwrapped message; None where there is nothing to see in it."""
    message = _unwrapped(message)
    names = [descriptor.name for descriptor, _ in message.ListFields()]
    for name in names:
        if (reader := READERS.get(name)) is not None:
            return _with_context(reader(getattr(message, name)), getattr(message, name))
    return _unknown(message, [name for name in names if name not in _QUIET])


def change_of(protocol: Any) -> Content | None:
    """The edit or revoke in a ``protocolMessage``, or None for all its other purposes."""
    target = tidy(protocol.key.ID, 200)
    if not target:
        return None
    if protocol.type == protocol.REVOKE:
        return Content(Kind.REVOKE, target=target)
    if protocol.type == protocol.MESSAGE_EDIT:
        new = content_of(protocol.editedMessage)
        return Content(Kind.EDIT, new.text if new else "", target=target)
    return None


def _unwrapped(message: Any) -> Any:
    """The message inside wrappers that the client leaves closed."""
    for _ in range(_WRAPPERS):
        inner = [
            value.message
            for descriptor, value in message.ListFields()
            if descriptor.message_type is not None
            and descriptor.message_type.name == "FutureProofMessage"
            and descriptor.name not in _QUIET
            and value.HasField("message")
        ]
        if not inner:
            break
        message = inner[0]
    return message


def _unknown(message: Any, names: list[str]) -> Content | None:
    """A kind that has no reader, or not even a name here; kept as it came."""
    known = type(message)()
    known.CopyFrom(message)
    for descriptor, _ in message.ListFields():
        known.ClearField(descriptor.name)
    if not names and not known.ByteSize():
        return None
    raw = message.SerializeToString()
    facts: dict[str, object] = {
        "raw": base64.b64encode(raw[:RAW_BYTES]).decode(),
        "bytes": len(raw),
    }
    if names:
        facts["fields"] = names[:MANY]
    return Content(Kind.OTHER, facts=facts)


def _with_context(content: Content, body: Any) -> Content:
    if isinstance(body, str | bytes) or "contextInfo" not in body.DESCRIPTOR.fields_by_name:
        return content
    context = body.contextInfo
    if context.isForwarded:
        content = replace(content, facts=content.facts | {"forwarded": True})
    wa_id = tidy(context.stanzaID, 200)
    return replace(content, quote=Quote(wa_id, _quoted(context))) if wa_id else content


def _quoted(context: Any) -> str:
    """The words of what is quoted, one level deep; its kind where it has none."""
    message = _unwrapped(context.quotedMessage)
    for descriptor, value in message.ListFields():
        if (reader := READERS.get(descriptor.name)) is not None:
            content = reader(value)
            return content.text[:FACT] or f"[{content.kind}]"
    return ""
