import re

import segno

from bot.whatsapp.qr import qr_svg, qr_text

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


def test_the_svg_reads_back_square_by_square_with_a_quiet_zone() -> None:
    wanted = [list(row) for row in segno.make_qr(CODE, error="m").matrix_iter(border=4)]
    drawn = [[0] * len(wanted) for _ in wanted]
    svg = qr_svg(CODE)
    (path,) = re.findall(r'stroke="#000" d="([^"]+)"', svg)
    column, row = 0, 0.0
    for command, numbers in re.findall(r"([Mmh])([^Mmh]+)", path):
        first, *others = map(float, re.findall(r"-?[\d.]+", numbers))
        if command == "h":
            for step in range(int(first)):
                drawn[int(row)][column + step] = 1
            column += int(first)
        else:
            column = int(first) + (column if command == "m" else 0)
            row = others[0] + (row if command == "m" else 0)

    assert drawn == wanted
    assert svg.startswith(f'<svg viewBox="0 0 {len(wanted)} {len(wanted)}">')
    assert "style" not in svg
