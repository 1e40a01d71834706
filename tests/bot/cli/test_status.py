"""``lyrox status`` tells the truth of a daemon, and starts nothing where there is none."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bot.cli.conftest import Loopback, Lyrox, write_config

READY: dict[str, Any] = {
    "ready": True,
    "problems": [],
    "companies": [
        {
            "slug": "acme",
            "name": "Acme",
            "state": "disconnected",
            "reason": "never_paired",
            "sentence": "This company has no WhatsApp paired yet. Pair it with `lyrox pair acme`.",
            "paused": True,
        }
    ],
    "backlog": {"pending": 3, "oldest_seconds": 75, "outbox": 1},
    "handovers": [
        {
            "company": "acme",
            "customer": "+13055550100",
            "name": "Ana\x1b[2J",
            "reason": "handover",
            "since": "2026-01-01T10:00:00+00:00",
            "until": "2026-01-01T11:00:00+00:00",
        }
    ],
    "stores": {"postgres": "private", "redis": "by URL", "mongo": "private"},
    "llm": "offline",
    "uptime_seconds": 3725,
    "version": "0.1.0",
}

Serve = Callable[[int, bytes], Loopback]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, daemon={"state_dir": "state"})


def announce(folder: Path, listen: str) -> None:
    (folder / "state").mkdir()
    note = json.dumps({"pid": 1, "listen": listen})
    (folder / "state" / "daemon.json").write_text(note, encoding="utf-8")


def daemon(folder: Path, loopback: Serve, said: object, *, status: int = 200) -> Loopback:
    server = loopback(status, json.dumps(said).encode())
    announce(folder, server.place)
    return server


def test_a_ready_daemon_is_shown_with_all_that_waits_for_a_person(
    lyrox: Lyrox, config: Path, tmp_path: Path, loopback: Serve
) -> None:
    server = daemon(tmp_path, loopback, READY)

    said = lyrox("status", "--config", config)

    assert said.code == 0
    assert server.asked == [("/status", None)]
    assert said.out.startswith("ready, LYROX 0.1.0, up 1 h 2 min, answers by offline")
    assert "no WhatsApp paired yet. Pair it with `lyrox pair acme`.\n" in said.out
    assert "3 messages pending, the oldest for 1 min 15 s; 1 to be sent" in said.out
    assert "+13055550100" in said.out


def test_what_a_customer_calls_herself_cannot_move_the_cursor(
    lyrox: Lyrox, config: Path, tmp_path: Path, loopback: Serve
) -> None:
    daemon(tmp_path, loopback, READY)

    assert "\x1b" not in lyrox("status", "--config", config).out


def test_a_daemon_that_is_not_ready_says_why(
    lyrox: Lyrox, config: Path, tmp_path: Path, loopback: Serve
) -> None:
    daemon(
        tmp_path,
        loopback,
        READY | {"ready": False, "problems": ["Redis does not answer"]},
        status=503,
    )

    said = lyrox("status", "--config", config)

    assert said.code == 3
    assert said.out.startswith("not ready")
    assert "problem: Redis does not answer" in said.out


def test_programs_get_the_daemons_own_words(
    lyrox: Lyrox, config: Path, tmp_path: Path, loopback: Serve
) -> None:
    daemon(tmp_path, loopback, READY)

    assert json.loads(lyrox("status", "--json", "--config", config).out) == READY


def test_without_a_daemon_it_says_so_and_starts_no_store(
    lyrox: Lyrox, config: Path, tmp_path: Path
) -> None:
    said = lyrox("status", "--config", config)

    assert said.code == 3
    assert "no daemon answers" in said.out
    assert "`lyrox run`" in said.out
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_without_a_daemon_programs_get_the_same_shape(lyrox: Lyrox, config: Path) -> None:
    said = lyrox("status", "--json", "--config", config)

    assert said.code == 3
    assert json.loads(said.out)["ready"] is False


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"hello": 1}', b"\xff"])
def test_a_stranger_on_the_daemons_port_is_no_daemon(
    lyrox: Lyrox, config: Path, tmp_path: Path, loopback: Serve, body: bytes
) -> None:
    announce(tmp_path, loopback(200, body).place)

    assert lyrox("status", "--config", config).code == 3


def test_a_daemon_that_died_without_a_word_is_no_daemon(
    lyrox: Lyrox, config: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        place = f"127.0.0.1:{gone.getsockname()[1]}"
    announce(tmp_path, place)

    assert lyrox("status", "--config", config).code == 3


def test_a_daemon_that_hangs_is_not_waited_for(lyrox: Lyrox, config: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        announce(tmp_path, f"127.0.0.1:{silent.getsockname()[1]}")

        assert lyrox("status", "--config", config).code == 3


def test_a_proxy_of_the_environment_is_not_asked(
    lyrox: Lyrox, config: Path, tmp_path: Path, loopback: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    daemon(tmp_path, loopback, READY)

    assert lyrox("status", "--config", config).code == 0


def test_asking_loads_neither_store_nor_model_nor_web(config: Path) -> None:
    heavy = {"asyncio", "tortoise", "asyncpg", "redis", "motor", "openai", "aiohttp", "neonize"}
    program = (
        "import sys; from bot.cli.main import main;"
        f" code = main(['status', '--config', {str(config)!r}]);"
        f" print(code, *sorted({heavy} & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert said.stdout.splitlines()[-1] == "3"
