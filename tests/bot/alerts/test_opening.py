"""What the daemon hears of pairings becomes an alert, and an alert gets its link from the page."""

from pathlib import Path
from uuid import uuid4

import pytest

from bot.alerts.opening import link_maker
from bot.config import Daemon, Settings
from bot.pairing.links import open_links
from bot.web_settings import Web
from models.errors import RetryLater
from tests.bot.alerts.conftest import Scene

HOUR = 3600


def settings(folder: Path, url: str = "https://bot.test") -> Settings:
    listen = "127.0.0.1:0" if url else ""
    return Settings(daemon=Daemon(state_dir=folder), web=Web(public_listen=listen, public_url=url))


@pytest.mark.parametrize(
    ("end", "told"),
    [("passkey_asked", ["passkey"]), ("client_outdated", ["outdated"]), ("expired", [])],
)
async def test_a_pairing_that_meets_trouble_is_told(
    scene: Scene, end: str, told: list[str]
) -> None:
    scene.alerts.pairing_ended(scene.company, end)
    await scene.alerts._background.drain()
    await scene.after(0)

    assert [one["data"]["kind"] for one in scene.receiver.taken] == told


async def test_a_phone_that_is_paired_after_all_ends_it(scene: Scene) -> None:
    await scene.session("logged_out")
    await scene.after(0)
    scene.alerts.pairing_ended(scene.company, "passkey_asked")
    await scene.alerts._background.drain()
    await scene.after(60)
    await scene.session("online")
    await scene.after(60)

    kinds = [(one["type"], one["data"]["kind"]) for one in scene.receiver.taken]
    assert kinds == [
        ("alert.begun", "logged_out"),
        ("alert.begun", "passkey"),
        ("alert.ended", "passkey"),
    ]


async def test_a_pairing_s_end_that_cannot_be_noted_is_logged(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    async def away(*_: object) -> dict[str, object]:
        raise RetryLater("PostgreSQL does not answer")

    desk = scene.alerts.desk
    whole, desk._call = desk._call, away
    scene.alerts.pairing_ended(scene.company, "passkey_asked")
    await scene.alerts._background.drain()
    desk._call = whole

    assert "the end of a pairing is not noted" in caplog.text


def test_a_link_leads_to_the_company_s_own_pairing_page(tmp_path: Path) -> None:
    company, made = uuid4(), settings(tmp_path)

    url = link_maker(made)(company)

    assert url is not None
    assert url.startswith("https://bot.test/pair/")
    assert open_links(made).read(url.rpartition("/")[2])[0] == company


def test_without_a_public_page_there_is_no_link(tmp_path: Path) -> None:
    assert link_maker(settings(tmp_path, ""))(uuid4()) is None


def test_an_alert_goes_without_a_link_that_cannot_be_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "pairing.key").write_text("broken", encoding="utf-8")

    assert link_maker(settings(tmp_path))(uuid4()) is None
    assert "an alert goes without its link" in caplog.text
