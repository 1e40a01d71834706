"""``lyrox pair``: codes for eyes only on a terminal, lines for programs, links, and a clear end."""

import asyncio
import json
import os
import pty
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from uuid import UUID

import pytest

from bot.cli.pair import Screen, follow
from bot.cli.pairing_decision import Decision
from bot.config import Settings, load
from bot.pairing.links import LinkRefused, open_links
from bot.whatsapp.pairing import PairEvent
from models.companies import Company
from tests.bot.cli.conftest import NUMBERS, Lyrox, write_config
from tests.builders import make_company

QR = PairEvent("qr", code="2@abc,def,ghi,jkl", expires_in=60.0)
PAIRED = PairEvent("paired", phone="+13055550100", jid="13055550100@s.whatsapp.net")
EXPIRED = PairEvent("failed", reason="expired", sentence="The code expired. Run it again.")
LETTERS = PairEvent("letters", code="ABCD-EFGH", phone="13055550100", expires_in=150.0)
LINKED = PairEvent("linked", phone="+13055550100", former="+13055550199")
NO_LETTERS = PairEvent("letters_refused", phone="13055550100", reason="x", sentence="No. Check it.")

DRAWN, TOLD = Screen("acme", as_json=False), Screen("acme", as_json=True)
TYPED = Screen("acme", as_json=False, letters="13055550100")


class Terminal(StringIO):
    """Something that says it is a screen."""

    def isatty(self) -> bool:
        return True


class OldTerminal(TextIOWrapper):
    """A screen with an encoding of before."""

    def isatty(self) -> bool:
        return True


async def told(*events: PairEvent) -> AsyncIterator[PairEvent]:
    for event in events:
        yield event


@pytest.fixture
def web_config(tmp_path: Path, database: str, redis_url: str, mongo_url: str) -> Path:
    """A configuration with a pairing page."""
    return write_config(
        tmp_path,
        stores={"postgres": database, "redis": redis_url, "mongo": mongo_url},
        daemon={"state_dir": str(tmp_path / "state")},
        web={"public_listen": "127.0.0.1:0", "public_url": "https://bot.example.com"},
    )


async def test_a_terminal_shows_the_code_and_then_the_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)

    code = await follow(told(QR, LINKED, PAIRED), DRAWN)

    assert code == 0
    assert "▄" in screen.getvalue()
    assert "good for 60 s" in screen.getvalue()
    assert screen.getvalue().endswith("acme is paired with +13055550100.\n")


async def test_no_code_is_drawn_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    code = await follow(told(QR, PAIRED), DRAWN)

    out, err = capsys.readouterr()
    assert (code, out) == (3, "")
    assert "--json or --phone" in err


async def test_a_terminal_that_cannot_show_the_squares_is_told_what_else_there_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = BytesIO()
    screen = OldTerminal(shown, encoding="latin-1", errors="replace")
    monkeypatch.setattr(sys, "stdout", screen)

    code = await follow(told(QR, PAIRED), DRAWN)

    assert (code, shown.getvalue()) == (3, b"")
    assert "shows no squares in latin-1; set a UTF-8 locale" in capsys.readouterr().err


async def test_letters_are_shown_anywhere_and_the_code_to_scan_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = await follow(told(QR, LETTERS, QR, PAIRED), TYPED)

    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert "Type ABCD-EFGH (good for 150 s)." in out
    assert "+13055550100: WhatsApp, Linked devices" in out
    assert "▄" not in out


async def test_letters_that_others_asked_for_are_theirs(capsys: pytest.CaptureFixture[str]) -> None:
    assert await follow(told(LETTERS, NO_LETTERS, PAIRED), DRAWN) == 0
    out, err = capsys.readouterr()
    assert ("ABCD" in out, err) == (False, "")

    assert await follow(told(NO_LETTERS, PAIRED), TYPED) == 3
    assert capsys.readouterr().err == "lyrox: acme: No. Check it.\n"


async def test_a_company_that_has_its_phone_says_so_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    already = PairEvent("paired", phone="+13055550100", jid="x", already=True)

    assert await follow(told(already), DRAWN) == 0
    assert capsys.readouterr().out == "acme is already paired with +13055550100.\n"


async def test_an_expired_code_says_how_to_get_a_new_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = await follow(told(EXPIRED), DRAWN)

    assert code == 3
    assert capsys.readouterr().err == "lyrox: acme: The code expired. Run it again.\n"


async def test_programs_get_one_json_line_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    assert await follow(told(QR, LETTERS, LINKED, PAIRED), TOLD) == 0

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {"event": "qr", "code": QR.code, "expires_in": 60.0}
    assert lines[2] == {"event": "linked", "phone": "+13055550100", "former": "+13055550199"}
    assert [line["event"] for line in lines] == ["qr", "letters", "linked", "paired"]


async def test_a_failure_is_a_json_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert await follow(told(EXPIRED), TOLD) == 3
    assert json.loads(capsys.readouterr().out)["reason"] == "expired"


def test_a_company_that_does_not_exist_is_refused(lyrox: Lyrox, config: Path) -> None:
    assert lyrox("pair", "nadie", "--config", config).code == 2


@pytest.mark.parametrize("number", ["12345", "hola", "0551234567"])
def test_what_is_no_number_is_refused_with_an_example(lyrox: Lyrox, number: str) -> None:
    said = lyrox("pair", "acme", "--phone", number)

    assert said.code == 2
    assert "such as +13055550100" in said.err


async def test_a_link_is_one_line_that_opens_the_companys_page(
    lyrox: Lyrox, web_config: Path, database: str, slug: str
) -> None:
    company = await make_company(database, slug=slug)

    said = lyrox("pair", slug, "--link", "--config", web_config)
    as_json = json.loads(lyrox("pair", slug, "--link", "--json", "--config", web_config).out)

    assert said.code == 0
    assert said.out.startswith("https://bot.example.com/pair/")
    assert "--revoke" in said.err
    for url in (said.out.strip(), as_json["url"]):
        token = url.rpartition("/")[2]
        assert open_links(load(web_config)).read(token)[0] == company
    assert as_json.keys() == {"event", "url", "expires_at"}


async def test_revoking_ends_the_links_there_are(
    lyrox: Lyrox, web_config: Path, database: str, slug: str
) -> None:
    await make_company(database, slug=slug)
    link = lyrox("pair", slug, "--link", "--config", web_config).out.strip()

    said = lyrox("pair", slug, "--revoke", "--config", web_config)
    told = lyrox("pair", slug, "--revoke", "--json", "--config", web_config)

    assert said.out == f"No pairing link of {slug} works any more.\n"
    assert json.loads(told.out) == {"event": "revoked"}
    with pytest.raises(LinkRefused, match="revoked"):
        open_links(load(web_config)).read(link.rpartition("/")[2])


async def test_without_a_public_url_a_link_says_what_to_do(
    lyrox: Lyrox, config: Path, database: str, slug: str
) -> None:
    await make_company(database, slug=slug)

    said = lyrox("pair", slug, "--link", "--config", config)

    assert (said.code, said.out) == (78, "")
    assert "web.public_url: is not set" in said.err
    assert "docs/operations.md" in said.err
    assert f"lyrox pair {slug}" in said.err


def relinked() -> PairEvent:
    """A phone with another number than before, which no company of this database has."""
    return replace(LINKED, phone=f"+1305556{next(NUMBERS):04}")


class Owners:
    """Two companies; one of them has a number already."""

    def __init__(self, config: Path, company: UUID) -> None:
        self.settings: Settings = load(config)
        self.company = Company(id=company, slug="acme")

    def decision(self, *, new_number: bool = False, asks: bool = True) -> Decision:
        return Decision(
            self.settings, self.company, new_number=new_number, asks=asks, elsewhere_seconds=0.2
        )


@pytest.fixture
async def owners(web_config: Path, database: str) -> Owners:
    return Owners(web_config, await make_company(database))


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A terminal at our input; what is written into its other end was typed."""
    here, there = pty.openpty()
    with os.fdopen(there, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield here
    os.close(here)


async def test_a_number_that_another_company_has_is_refused(owners: Owners, database: str) -> None:
    taken = PairEvent("linked", phone="+13055550142")
    other = '{"reason": "online", "jid": "13055550142:1@s.whatsapp.net"}'
    await make_company(database, whatsapp_phone=taken.phone, whatsapp_session_data=other)

    assert await owners.decision().decide(taken) == "number_in_use"
    assert await owners.decision().decide(PairEvent("linked", phone="+13055550143")) == ""


@pytest.mark.parametrize(("typed", "reason"), [("y\n", ""), ("sí\n", ""), ("\n", "another_number")])
async def test_a_person_is_asked_about_another_number(
    owners: Owners, keyboard: int, typed: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    linked = relinked()
    os.write(keyboard, typed.encode())

    assert await owners.decision().decide(linked) == reason
    asked = capsys.readouterr().out
    assert f"had the number +13055550199; this phone is {linked.phone}" in asked


async def test_the_question_ends_when_somebody_else_has_answered(
    owners: Owners, keyboard: int
) -> None:
    asking = asyncio.ensure_future(owners.decision().decide(LINKED))
    await asyncio.sleep(0.05)

    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_where_nobody_can_be_asked_another_number_needs_a_word(
    owners: Owners, capsys: pytest.CaptureFixture[str]
) -> None:
    linked = relinked()
    deciding = asyncio.ensure_future(owners.decision(asks=False).decide(linked))
    await asyncio.sleep(0.05)
    assert not deciding.done()  # Somebody may say so elsewhere.

    assert await deciding == "another_number"
    assert "--new-number" in capsys.readouterr().err
    assert await owners.decision(asks=False, new_number=True).decide(linked) == ""
