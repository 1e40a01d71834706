"""What single checks of ``lyrox doctor`` find, and what they keep to themselves."""

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from bot.cli import checks
from bot.cli.checks import Unwell
from bot.cli.doctor import look
from bot.cli.pairing_check import pairing_page
from bot.config import Daemon, Settings, WhatsApp
from bot.llm_settings import Target
from bot.shard import hold_shard
from bot.web_settings import Web
from models.errors import Unavailable
from tests.bot.cli.conftest import Loopback, Lyrox

AGAIN = "correct that and try again"


@pytest.fixture
def gruff() -> Iterator[str]:
    """Where something answers that speaks no HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                peer.sendall(b"SSH-2.0-OpenSSH_9.2\x1b[2J\r\n")
                while peer.recv(1024):
                    pass

        thread = Thread(target=answer, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join(5)


def at(place: str) -> Target:
    return Target(name="t", model="m", base_url=f"http://{place}/v1")


@pytest.mark.parametrize("key", ["sk-proj-1234\nsk-proj-5678", "sk-proj-1234é", "sk-proj-12\x7f34"])
async def test_a_key_that_no_header_may_have_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("LYROX_OPENAI_API_KEY", key)

    with pytest.raises(Unwell, match="openai_api_key holds characters that no header may") as told:
        await checks.target(at("127.0.0.1:9"))

    assert not re.search("sk-|1234|5678", str(told.value))


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_a_key_stays_with_the_host_it_is_meant_for(
    monkeypatch: pytest.MonkeyPatch, loopback: Callable[[int, bytes], Loopback], status: int
) -> None:
    monkeypatch.setenv("LYROX_OPENAI_API_KEY", "sk-test")
    other, asked = loopback(200, b"{}"), loopback(status, b"")
    asked.moved_to = f"http://localhost:{other.server_port}/v1/models"

    with pytest.raises(Unwell, match=rf"answers {status}.+ base_url"):
        await checks.target(at(asked.place))

    assert other.asked == []


async def test_what_speaks_no_http_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, gruff: str
) -> None:
    monkeypatch.setenv("LYROX_OPENAI_API_KEY", "sk-test")

    with pytest.raises(Unavailable, match=r"cannot be reached: what answers there speaks no HTTP;"):
        await checks.target(at(gruff))


async def test_a_page_behind_what_speaks_no_http_is_a_finding(tmp_path: Path, gruff: str) -> None:
    web = Web(public_listen="127.0.0.1:1", public_url=f"http://{gruff}")
    settings = Settings(daemon=Daemon(state_dir=tmp_path), web=web)

    with hold_shard(tmp_path, 0), pytest.raises(Unwell, match="what answers there speaks no HTTP;"):
        await pairing_page(settings)


async def test_a_place_that_cannot_be_looked_at_is_a_finding(tmp_path: Path) -> None:
    nowhere = tmp_path / ("x" * 300)
    settings = Settings(daemon=Daemon(state_dir=nowhere), whatsapp=WhatsApp(enabled=False))

    found = await look("disk", checks.disk(settings))

    assert (found.ok, found.says) == (False, f"{nowhere}: File name too long; {AGAIN}")


def test_a_configuration_that_cannot_be_looked_at_is_a_finding(
    lyrox: Lyrox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").symlink_to("x" * 300)

    said = lyrox("doctor")

    assert (said.code, said.err) == (1, "")
    assert said.out == f"FAIL  config      config.toml: File name too long; {AGAIN}\n"


async def test_two_doctors_at_once_are_both_content(tmp_path: Path) -> None:
    looks = (checks.session_files(tmp_path) for _ in range(200))

    assert set(await asyncio.gather(*looks)) == {f"{tmp_path}, 0 session files"}


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("raise ImportError('there is no goneonize')", "there is no goneonize (exit code 1)"),
        ("raise MemoryError", "MemoryError (exit code 1)"),
        (
            "import os; os.write(2, b'fatal error: x\\ngs     0x0\\n'); os.abort()",
            "fatal error: x (signal 6)",
        ),
        ("import os; os._exit(7)", "it ended without a word (exit code 7)"),
    ],
)
async def test_a_library_that_does_not_load_says_why_and_how_it_ended(
    program: str, told: str
) -> None:
    with pytest.raises(Unwell) as raised:
        await checks.neonize(WhatsApp(), program)

    assert str(raised.value) == told
