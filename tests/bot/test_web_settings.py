"""``[web]``: what may stand there, and how a mistake is told."""

from pathlib import Path

import pytest

from bot.config import load
from bot.web_settings import Web
from models.errors import StartupRefused


def web(folder: Path, text: str) -> Web:
    path = folder / "lyrox.toml"
    path.write_text(f"[web]\n{text}\n", encoding="utf-8")
    return load(path).web


def test_nothing_is_open_to_the_world_unless_asked(tmp_path: Path) -> None:
    assert (web(tmp_path, "").public_listen, web(tmp_path, "").public_url) == ("", "")


@pytest.mark.parametrize("listen", ["127.0.0.1:8720", "0.0.0.0:0", "[::1]:8720", "localhost:80"])
def test_a_host_and_a_port_are_enough(tmp_path: Path, listen: str) -> None:
    assert web(tmp_path, f'public_listen = "{listen}"').public_listen == listen


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("https://bot.example.com", "https://bot.example.com"),
        ("https://example.com/bot/", "https://example.com/bot"),
        ("http://localhost:8720", "http://localhost:8720"),
        ("http://127.0.0.1:8720", "http://127.0.0.1:8720"),
    ],
)
def test_links_begin_with_the_public_url(tmp_path: Path, written: str, used: str) -> None:
    text = f'public_listen = "127.0.0.1:8720"\npublic_url = "{written}"'

    assert web(tmp_path, text).public_url == used


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('public_url = "https://bot.example.com"', "web: public_url needs public_listen"),
        ('public_url = "http://bot.example.com"', "web.public_url: must begin with https://"),
        ('public_url = "bot.example.com"', "web.public_url: must be a URL such as https://"),
        ('public_url = "https://a.example/?b"', "web.public_url: must be scheme, host and path"),
        ('public_url = "https://me:x@a.example"', "web.public_url: must be scheme, host and path"),
        ('public_listen = "8720"', "web.public_listen: "),
        ('trusted_proxies = ["proxy"]', "web.trusted_proxies: proxy is no address and no network"),
        ('trusted_proxies = ["10.0.0.1/8"]', "10.0.0.1/8 is no address and no network"),
    ],
)
def test_a_mistake_is_told_by_its_key(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(StartupRefused, match=told.replace("?", r"\?").replace(".", r"\.")):
        web(tmp_path, text)
