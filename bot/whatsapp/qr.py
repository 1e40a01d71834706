"""The only door of segno: a pairing code as squares for a terminal."""

import io

import segno


def qr_text(code: str) -> str:
    """*code* drawn with half blocks, light on dark, two rows of squares in a line."""
    drawing = io.StringIO()
    segno.make_qr(code, error="l").terminal(drawing, border=2, compact=True)
    return drawing.getvalue()
