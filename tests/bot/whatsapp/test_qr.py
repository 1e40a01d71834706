import segno

from bot.whatsapp.qr import qr_text

CODE = "https://wa.me/settings/linked_devices#" + "x" * 170


def test_a_code_is_drawn_two_rows_to_a_line_and_fits_a_terminal() -> None:
    lines = qr_text(CODE).splitlines()
    size = segno.make_qr(CODE, error="l").symbol_size(border=2)[0]

    assert {len(line) for line in lines} == {size}
    assert len(lines) == (size + 1) // 2
    assert size <= 80


def test_the_drawing_reads_back_square_by_square() -> None:
    dark = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
    lines = qr_text(CODE).splitlines()
    rows = [[dark[mark][half] for mark in line] for line in lines for half in (0, 1)]
    wanted = [list(row) for row in segno.make_qr(CODE, error="l").matrix_iter(border=2)]

    assert rows[: len(wanted)] == wanted
