"""``lyrox pair``: codes for eyes only on a terminal, lines for programs, and a clear end."""

import json
import sys
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path

import pytest

from bot.cli.pair import follow
from bot.whatsapp.pairing import PairEvent
from tests.bot.cli.conftest import Lyrox

QR = PairEvent("qr", code="2@abc,def,ghi,jkl", expires_in=60.0)
PAIRED = PairEvent("paired", phone="+13055550100", jid="13055550100@s.whatsapp.net")
EXPIRED = PairEvent("failed", reason="expired", sentence="The code expired. Run it again.")


class Terminal(StringIO):
    """Something that says it is a screen."""

    def isatty(self) -> bool:
        return True


async def told(*events: PairEvent) -> AsyncIterator[PairEvent]:
    for event in events:
        yield event


async def test_a_terminal_shows_the_code_and_then_the_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)

    code = await follow(told(QR, PAIRED), "acme", as_json=False)

    assert code == 0
    assert "▄" in screen.getvalue()
    assert "good for 60 s" in screen.getvalue()
    assert screen.getvalue().endswith("acme is paired with +13055550100.\n")


async def test_no_code_is_drawn_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    code = await follow(told(QR, PAIRED), "acme", as_json=False)

    out, err = capsys.readouterr()
    assert (code, out) == (3, "")
    assert "--json" in err


async def test_a_company_that_has_its_phone_says_so_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    already = PairEvent("paired", phone="+13055550100", jid="x", already=True)

    assert await follow(told(already), "acme", as_json=False) == 0
    assert capsys.readouterr().out == "acme is already paired with +13055550100.\n"


async def test_an_expired_code_says_how_to_get_a_new_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = await follow(told(EXPIRED), "acme", as_json=False)

    assert code == 3
    assert capsys.readouterr().err == "lyrox: acme: The code expired. Run it again.\n"


async def test_programs_get_one_json_line_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    assert await follow(told(QR, PAIRED), "acme", as_json=True) == 0

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {"event": "qr", "code": QR.code, "expires_in": 60.0}
    assert lines[1]["event"] == "paired"


async def test_a_failure_is_a_json_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert await follow(told(EXPIRED), "acme", as_json=True) == 3
    assert json.loads(capsys.readouterr().out)["reason"] == "expired"


def test_a_company_that_does_not_exist_is_refused(lyrox: Lyrox, config: Path) -> None:
    assert lyrox("pair", "nadie", "--config", config).code == 2
