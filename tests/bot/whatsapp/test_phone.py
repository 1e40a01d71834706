from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.whatsapp.files import CompanyFiles, Pairing
from bot.whatsapp.library import Protos
from bot.whatsapp.phone import Phone
from tests.bot.whatsapp.conftest import COMPANY, OWN, MakeEvent

PAIRED_AT = datetime(2026, 9, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
GROUP = "120363041234567890@g.us"


class Life:
    """One company's phone, and a clock that the test moves."""

    def __init__(self, folder: Path, protos: Protos, make_event: MakeEvent) -> None:
        self.files = CompanyFiles(folder, COMPANY)
        self.files.prepare()
        self.pair(PAIRED_AT)
        self.now = PAIRED_AT
        self._protos = protos
        self._make_event = make_event
        self.phone = self.born()

    def born(self) -> Phone:
        """As a new process finds it."""
        self.phone = Phone(self.files, self._protos, now=lambda: self.now)
        return self.phone

    def pair(self, at: datetime) -> None:
        jid = f"{OWN}:1@s.whatsapp.net"
        self.files.write_note(Pairing(jid, "1:1@lid", "android", at))

    def hears(self, *, at: datetime | None = None, message: Any = "hola", **more: Any) -> bool:
        milliseconds = int((at or self.now).timestamp() * 1000)
        return self.phone.notice(self._make_event(message, Timestamp=milliseconds, **more))


@pytest.fixture
def life(tmp_path: Path, protos: Protos, make_event: MakeEvent) -> Life:
    return Life(tmp_path, protos, make_event)


def test_ten_days_without_a_sign_are_sleep_and_a_sign_ends_it(life: Life) -> None:
    life.hears(own=True)

    life.now += 10 * DAY - timedelta(seconds=1)
    assert life.phone.asleep_since is None
    life.now += timedelta(seconds=1)
    assert life.phone.asleep_since == PAIRED_AT

    assert life.hears(own=True)
    assert life.phone.asleep_since is None


def test_a_phone_that_never_gave_a_sign_is_unknown_and_not_asleep(life: Life) -> None:
    for more in (
        {},  # A customer writes.
        {"own": True, "device": 3},  # WhatsApp Web, or another bot.
        {"chat": GROUP, "group": True},
    ):
        assert not life.hears(**more)
    assert not life.phone.notice(b"no message")
    life.now += 400 * DAY

    assert life.phone.asleep_since is None
    assert life.files.read_phone() is None


def test_whatever_the_phone_itself_sends_is_a_sign(life: Life, protos: Protos) -> None:
    key_share = protos.e2e.Message()
    key_share.protocolMessage.type = 6  # APP_STATE_SYNC_KEY_SHARE
    own = f"{OWN}@s.whatsapp.net"
    signs: tuple[dict[str, Any], ...] = (
        {"chat": "5215587654321@s.whatsapp.net"},
        {"chat": GROUP, "group": True},
        {"chat": "status@broadcast", "group": True},
        {"chat": own},
        {"chat": own, "message": key_share, "Category": "peer"},
    )
    for number, more in enumerate(signs):
        life.now += 2 * HOUR
        assert life.hears(own=True, **more), number


def test_the_sign_outlives_the_process_to_the_hour(life: Life) -> None:
    life.hears(own=True)
    kept = life.files.phone.stat().st_mtime_ns
    life.now += 59 * timedelta(minutes=1)
    assert not life.hears(own=True)
    assert life.files.phone.stat().st_mtime_ns == kept

    life.now += HOUR
    life.hears(own=True)
    last = life.now
    life.now += 10 * DAY

    assert life.born().asleep_since == last


def test_an_old_sign_in_a_backlog_does_not_turn_the_clock_back(life: Life) -> None:
    life.now += 5 * DAY
    life.hears(own=True)

    assert not life.hears(own=True, at=life.now - 3 * DAY)
    assert life.files.read_phone() == life.now


def test_a_phone_whose_clock_is_ahead_is_not_trusted_beyond_now(life: Life) -> None:
    life.hears(own=True, at=life.now + 300 * DAY)
    life.now += 11 * DAY

    assert life.phone.asleep_since == PAIRED_AT


def test_a_new_pairing_begins_unknown(life: Life) -> None:
    life.hears(own=True)
    life.now += 20 * DAY
    life.pair(life.now)
    life.now += 20 * DAY

    assert life.born().asleep_since is None


def test_a_sign_that_cannot_be_written_is_known_all_the_same(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    life.files.phone.mkdir()

    assert life.hears(own=True)
    life.now += 10 * DAY

    assert life.phone.asleep_since == PAIRED_AT
    assert "a phone's sign of life is not on disk" in caplog.messages
