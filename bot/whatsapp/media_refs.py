"""A file that came with a message, as what is needed to fetch it later, and the way back."""

from typing import Any

from bot.whatsapp.wire_text import tidy
from models.values import Kind, MediaRef

_NAME = 255
_FIELDS = {
    Kind.IMAGE: "imageMessage",
    Kind.VIDEO: "videoMessage",
    Kind.AUDIO: "audioMessage",
    Kind.DOCUMENT: "documentMessage",
    Kind.STICKER: "stickerMessage",
}


def media_ref(kind: Kind, body: Any, *, round_video: bool = False) -> MediaRef | None:
    """The reference in one of the message kinds that hold a file; None where it leads nowhere."""
    if not body.directPath or not body.mediaKey:
        return None
    known = body.DESCRIPTOR.fields_by_name
    return MediaRef(
        kind=kind,
        mime=tidy(body.mimetype, 100),
        size=body.fileLength,
        path=tidy(body.directPath, 2_000),
        key=bytes(body.mediaKey)[:64],
        sha256=bytes(body.fileSHA256)[:32],
        sealed_sha256=bytes(body.fileEncSHA256)[:32],
        seconds=body.seconds if "seconds" in known and body.seconds else None,
        name=tidy(body.fileName, _NAME) or None if "fileName" in known else None,
        voice=bool("PTT" in known and body.PTT),
        round_video=round_video,
    )


def media_message(e2e: Any, ref: MediaRef, url: str) -> Any:
    """The message from which the client opens the file that lies at *url*."""
    message = e2e.Message()
    body = getattr(message, _FIELDS[ref.kind])
    body.URL, body.directPath, body.mimetype = url, ref.path, ref.mime
    body.mediaKey, body.fileSHA256, body.fileEncSHA256 = ref.key, ref.sha256, ref.sealed_sha256
    body.fileLength = ref.size
    return message
