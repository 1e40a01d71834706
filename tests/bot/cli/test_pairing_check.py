"""``lyrox doctor`` on the pairing page: what is missing, and who really answers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.cli.checks import Unwell
from bot.cli.pairing_check import pairing_page
from bot.config import Daemon, Settings
from bot.pairing.links import open_links
from bot.pairing.pairings import Pairings
from bot.shard import hold_shard
from bot.web.pairing_page import PageParts, serve_pairing
from bot.web.visitors import Visitors
from bot.web_settings import Web
from tests.bot.cli.conftest import Loopback
from tests.fakes.follower import Stage


def settings(folder: Path, **web: str) -> Settings:
    return Settings(daemon=Daemon(state_dir=folder), web=Web.model_validate(web))


async def test_without_a_page_it_says_how_to_have_one(tmp_path: Path) -> None:
    told = await pairing_page(settings(tmp_path))

    assert "web.public_listen and web.public_url" in told
    assert "docs/operations.md shows nginx and Caddy" in told


async def test_a_page_that_nobody_gets_a_link_to_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Unwell, match=r"web\.public_url: is not set"):
        await pairing_page(settings(tmp_path, public_listen="127.0.0.1:8720"))


async def test_without_a_daemon_nothing_is_tried(tmp_path: Path) -> None:
    here = settings(tmp_path, public_listen="127.0.0.1:8720", public_url="https://bot.example.com")

    assert await pairing_page(here) == ("https://bot.example.com, not tried because no daemon runs")


async def test_only_our_own_page_proves_that_the_url_leads_to_it(
    tmp_path: Path, loopback: Callable[[int, bytes], Loopback]
) -> None:
    strangers = {
        "answers 200": f"http://{loopback(200, b'hello').place}",
        "answers 404": f"http://{loopback(404, b'').place}",
        "answers 502": f"http://{loopback(502, b'').place}",
        "cannot be reached": "http://127.0.0.1:9",
    }
    with hold_shard(tmp_path, 0):
        for told, url in strangers.items():
            with pytest.raises(Unwell, match=told):
                await pairing_page(settings(tmp_path, public_listen="127.0.0.1:1", public_url=url))


@pytest.mark.parametrize("same", [True, False])
async def test_a_page_of_another_installation_is_a_strangers(tmp_path: Path, same: bool) -> None:
    ours = settings(tmp_path / "ours")
    theirs = ours if same else settings(tmp_path / "theirs")
    async with Pairings(Stage().surroundings()) as pairings:
        parts = PageParts(
            open_links(theirs), pairings, Visitors([]), "LYROX", refused=lambda _: None
        )
        async with serve_pairing("127.0.0.1:0", parts) as listen:
            web = Web(public_listen=listen, public_url=f"http://{listen}")
            here = ours.model_copy(update={"web": web})
            with hold_shard(tmp_path / "ours", 0):
                if same:
                    assert await pairing_page(here) == f"http://{listen} leads to {listen}"
                else:
                    with pytest.raises(Unwell, match="answers 404"):
                        await pairing_page(here)
