"""The only door of segno: a pairing code as squares, for a terminal and for a page."""

import io

import segno


def qr_text(code: str) -> str:
    """*code* drawn with half blocks, light on dark, two rows of squares in a line."""
    drawing = io.StringIO()
    segno.make_qr(code, error="l").terminal(drawing, border=2, compact=True)
    return drawing.getvalue()


def qr_svg(code: str) -> str:
    """*code* as one SVG element, dark on light, without a size of its own."""
    drawn: str = segno.make_qr(code, error="m").svg_inline(
        border=4, dark="#000", light="#fff", omitsize=True, svgclass=None, lineclass=None
    )
    return drawn
