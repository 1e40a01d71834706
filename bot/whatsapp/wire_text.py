"""Texts that a stranger's program wrote, made fit for every store."""

FACT = 1_000
"""The longest text among a message's facts."""


def tidy(value: object, most: int = FACT) -> str:
    """At most *most* characters of *value*, without NUL.

    WhatsApp can carry NUL, and texts that are none: those come as bytes.
    """
    whole = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return whole.replace("\x00", "")[:most]
