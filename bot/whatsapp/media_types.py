"""What a file is by its first bytes, whatever its sender calls it."""

from models.values import Kind

_JPEG, _PNG, _GIF = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8"
_RIFF, _OGG, _ID3, _AMR, _FLAC = b"RIFF", b"OggS", b"ID3", b"#!AMR", b"fLaC"
_WEBM, _ZIP, _GZIP = b"\x1aE\xdf\xa3", b"PK\x03\x04", b"\x1f\x8b"
_BEGINNINGS = {
    Kind.IMAGE: (_JPEG, _PNG, _GIF, _RIFF),
    Kind.STICKER: (_RIFF, _PNG, _ZIP, _GZIP),
    Kind.AUDIO: (_OGG, _ID3, _RIFF, _AMR, _FLAC),
    Kind.VIDEO: (_WEBM, _RIFF),
}
_PROGRAMS = (b"\x7fELF", b"MZ", b"#!/", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_BOXED = {Kind.IMAGE, Kind.AUDIO, Kind.VIDEO}  # HEIC, M4A and MP4 are one family.


def is_what_it_says(kind: Kind, mime: str, data: bytes) -> bool:
    """Whether *data* can be a *kind* of file; a document may be anything but a program."""
    if kind is Kind.DOCUMENT:
        if mime == "application/pdf":
            return b"%PDF-" in data[:1024]
        return not data.startswith(_PROGRAMS)
    if kind in _BOXED and data[4:8] == b"ftyp":
        return True
    if kind is Kind.AUDIO and data[:1] == b"\xff" and data[1:2] >= b"\xe0":
        return True  # A frame of MP3 or AAC.
    return data.startswith(_BEGINNINGS[kind])


def picture_mime(data: bytes) -> str | None:
    """``image/jpeg`` or ``image/png``, which every phone shows; None for all else."""
    if data.startswith(_JPEG):
        return "image/jpeg"
    return "image/png" if data.startswith(_PNG) else None
