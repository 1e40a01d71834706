"""Links to the pairing page: which count, and why the others do not."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from bot.config import Daemon, Settings
from bot.pairing.links import LIFE, Flaw, LinkRefused, PairingLinks, open_links, pairing_link
from bot.web_settings import Web
from bot.whatsapp.files import CompanyFiles, Pairing
from models.errors import StartupRefused, Unavailable

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
COMPANY = UUID("5d0c8b2e-0b0a-4d4f-9a52-0a6f6f3f2a11")
KEY = b"k" * 32


class Watch:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Watch:
    return Watch()


@pytest.fixture
def links(tmp_path: Path, clock: Watch) -> PairingLinks:
    return PairingLinks(tmp_path, KEY, now=clock)


@pytest.fixture(autouse=True)
def _no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.delenv("LYROX_PAIRING_KEY", raising=False)


def flaw(links: PairingLinks, token: str) -> Flaw | None:
    try:
        links.read(token)
    except LinkRefused as refused:
        return refused.flaw
    return None


def paired(folder: Path, at: datetime) -> None:
    files = CompanyFiles(folder, COMPANY)
    files.prepare()
    files.write_note(Pairing("5215512345678:1@s.whatsapp.net", "", "android", at))


def test_a_link_names_its_company_and_its_end(links: PairingLinks) -> None:
    token, expires_at = links.issue(COMPANY)

    assert links.read(token) == (COMPANY, NOON + LIFE)
    assert expires_at == NOON + timedelta(minutes=30)


def test_a_link_ends_after_half_an_hour(links: PairingLinks, clock: Watch) -> None:
    token, _ = links.issue(COMPANY)

    clock.now = NOON + LIFE - timedelta(milliseconds=1)
    assert flaw(links, token) is None
    clock.now = NOON + LIFE
    assert flaw(links, token) is Flaw.EXPIRED


def test_no_changed_character_is_overlooked(links: PairingLinks) -> None:
    token, _ = links.issue(COMPANY)
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))

    for place in range(len(raw)):
        changed = bytes([*raw[:place], raw[place] ^ 1, *raw[place + 1 :]])
        forged = base64.urlsafe_b64encode(changed).rstrip(b"=").decode()
        assert flaw(links, forged) is Flaw.FORGED


def test_a_token_can_be_written_in_one_way_only(links: PairingLinks) -> None:
    token, _ = links.issue(COMPANY)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = [f"{token[:-1]}{letter}" for letter in alphabet]

    assert [one for one in last if flaw(links, one) is None] == [token]


@pytest.mark.parametrize(
    "token", ["", "x", "A" * 74, "é" * 74, "a" * 5000, "../../etc", "%00", "="]
)
def test_what_is_no_token_is_forged(links: PairingLinks, token: str) -> None:
    assert flaw(links, token) is Flaw.FORGED


def test_another_installations_link_is_forged(links: PairingLinks, tmp_path: Path) -> None:
    token, _ = PairingLinks(tmp_path, b"o" * 32).issue(COMPANY)

    assert flaw(links, token) is Flaw.FORGED


def test_revoking_voids_all_links_of_one_company_and_no_later_one(
    links: PairingLinks, clock: Watch
) -> None:
    tokens = [links.issue(COMPANY)[0] for _ in range(2)]
    other = links.issue(uuid4())[0]

    links.revoke(COMPANY)

    assert [flaw(links, token) for token in tokens] == [Flaw.REVOKED, Flaw.REVOKED]
    assert flaw(links, other) is None
    assert flaw(links, links.issue(COMPANY)[0]) is None
    clock.now = NOON - timedelta(minutes=5)  # Somebody set the clock back.
    assert flaw(links, links.issue(COMPANY)[0]) is None


def test_a_pairing_uses_up_every_link_made_before_it(
    links: PairingLinks, clock: Watch, tmp_path: Path
) -> None:
    token, _ = links.issue(COMPANY)
    clock.now = NOON + timedelta(minutes=2)
    paired(tmp_path, NOON + timedelta(minutes=1))

    assert flaw(links, token) is Flaw.USED
    assert flaw(links, links.issue(COMPANY)[0]) is None


def test_a_pairing_by_a_fast_clock_makes_no_link_longer(
    links: PairingLinks, clock: Watch, tmp_path: Path
) -> None:
    paired(tmp_path, NOON + timedelta(days=2))

    token, expires_at = links.issue(COMPANY)

    assert (flaw(links, token), expires_at) == (None, NOON + LIFE)
    clock.now = NOON + LIFE
    assert flaw(links, token) is Flaw.EXPIRED


@pytest.mark.parametrize("minutes", [-10, 0, 10])
@pytest.mark.parametrize("days", [-2, 0, 2])
def test_revoking_needs_no_clock_that_is_right(
    links: PairingLinks, clock: Watch, tmp_path: Path, minutes: int, days: int
) -> None:
    paired(tmp_path, NOON + timedelta(days=days))
    token, _ = links.issue(COMPANY)
    links.revoke(COMPANY)
    second, _ = links.issue(COMPANY)
    clock.now = NOON + timedelta(minutes=minutes)

    links.revoke(COMPANY)

    assert [flaw(links, one) for one in (token, second)] == [Flaw.REVOKED, Flaw.REVOKED]
    assert flaw(links, links.issue(COMPANY)[0]) is None


def test_a_pairing_by_a_slow_clock_uses_links_up_all_the_same(
    links: PairingLinks, tmp_path: Path
) -> None:
    token, _ = links.issue(COMPANY)
    paired(tmp_path, NOON - timedelta(minutes=10))

    assert flaw(links, token) is Flaw.USED


def test_a_note_of_the_pairing_that_is_spoiled_lets_no_used_link_count_again(
    links: PairingLinks, tmp_path: Path
) -> None:
    token, _ = links.issue(COMPANY)
    paired(tmp_path, NOON)
    CompanyFiles(tmp_path, COMPANY).note.write_text("", encoding="utf-8")

    assert flaw(links, token) is Flaw.USED
    assert flaw(links, links.issue(COMPANY)[0]) is None


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "null", '{"revocation": 7}', '{"revocation": ""}', "\x00", "é{"]
)
def test_links_count_only_where_it_is_known_that_they_are_not_revoked(
    links: PairingLinks, tmp_path: Path, content: str
) -> None:
    token, _ = links.issue(COMPANY)
    other, _ = links.issue(uuid4())
    file = CompanyFiles(tmp_path, COMPANY).links
    CompanyFiles(tmp_path, COMPANY).prepare()
    file.write_text(content, encoding="latin-1")

    for asked in (lambda: links.read(token), lambda: links.issue(COMPANY)):
        with pytest.raises(Unavailable, match=r"\.links: cannot be read, .* --revoke"):
            asked()
    assert flaw(links, other) is None
    links.revoke(COMPANY)  # As the sentence says.
    assert flaw(links, token) is Flaw.REVOKED
    assert flaw(links, links.issue(COMPANY)[0]) is None
    assert json.loads(file.read_text(encoding="utf-8")).keys() == {"revocation"}


def test_what_cannot_be_revoked_is_told(links: PairingLinks, tmp_path: Path) -> None:
    CompanyFiles(tmp_path, COMPANY).prepare()
    CompanyFiles(tmp_path, COMPANY).links.mkdir()

    with pytest.raises(Unavailable, match=r"\.links: cannot be read"):
        links.issue(COMPANY)
    with pytest.raises(Unavailable, match=r"\.links: no link is revoked: Is a directory"):
        links.revoke(COMPANY)


def test_a_key_of_our_own_is_made_once_and_for_nobody_else(tmp_path: Path) -> None:
    settings = Settings(daemon=Daemon(state_dir=tmp_path / "state"))

    token, _ = open_links(settings).issue(COMPANY)

    assert open_links(settings).read(token)[0] == COMPANY
    assert (tmp_path / "state" / "pairing.key").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in (tmp_path / "state").iterdir()] == ["pairing.key"]


def issued_in(state_dir: Path) -> str:
    return open_links(Settings(daemon=Daemon(state_dir=state_dir))).issue(COMPANY)[0]


def test_those_who_need_the_key_at_once_agree_on_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        tokens = list(threads.map(issued_in, [tmp_path / "state"] * 4))

    links = open_links(Settings(daemon=Daemon(state_dir=tmp_path / "state")))
    assert [links.read(token)[0] for token in tokens] == [COMPANY] * 4


def test_a_credential_takes_the_place_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(daemon=Daemon(state_dir=tmp_path / "state"))
    monkeypatch.setenv("LYROX_PAIRING_KEY", "an operator's own")

    token, _ = open_links(settings).issue(COMPANY)
    monkeypatch.setenv("LYROX_PAIRING_KEY", "another one")

    assert flaw(open_links(settings), token) is Flaw.FORGED
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("content", ["", "nonsense", "abcd"])
def test_a_key_file_that_is_none_is_told_in_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "pairing.key").write_text(content, encoding="utf-8")

    with pytest.raises(StartupRefused, match=r"pairing\.key: "):
        open_links(Settings(daemon=Daemon(state_dir=tmp_path)))


def test_without_a_public_url_there_is_no_link(tmp_path: Path) -> None:
    daemon = Daemon(state_dir=tmp_path)
    web = Web(public_listen="127.0.0.1:0", public_url="https://example.com/bot")

    assert pairing_link(Settings(daemon=daemon), COMPANY) is None
    link = pairing_link(Settings(daemon=daemon, web=web), COMPANY)
    assert link is not None
    assert link.url.startswith("https://example.com/bot/pair/")
    assert open_links(Settings(daemon=daemon)).read(link.url.rpartition("/")[2])[0] == COMPANY
