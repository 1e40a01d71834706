"""``lyrox status`` tells the truth of a daemon, and starts nothing where there is none."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bot.shard import hold_shard
from tests.bot.cli.conftest import Loopback, Lyrox, write_config

READY: dict[str, Any] = {
    "shard": 0,
    "ready": True,
    "problems": [],
    "journal": 0,
    "companies": [
        {
            "slug": "acme",
            "name": "Acme",
            "state": "disconnected",
            "reason": "never_paired",
            "sentence": "This company has no WhatsApp paired yet. Pair it with `lyrox pair acme`.",
            "paused": True,
            "shard": None,
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
Seat = Callable[..., None]
Daemon = Callable[..., Loopback]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, daemon={"state_dir": "state"})


def announce(folder: Path, listen: str, shard: int = 0) -> None:
    (folder / "state").mkdir(exist_ok=True)
    note = json.dumps({"pid": 1, "listen": listen})
    (folder / "state" / f"shard-{shard}.json").write_text(note, encoding="utf-8")


@pytest.fixture
def seat(tmp_path: Path) -> Iterator[Seat]:
    """Have a shard's seat held, as by a daemon that says it answers at that address."""
    with ExitStack() as seats:

        def sit(listen: str, shard: int = 0) -> None:
            seats.enter_context(hold_shard(tmp_path / "state", shard))
            announce(tmp_path, listen, shard)

        yield sit


@pytest.fixture
def daemon(seat: Seat, loopback: Serve) -> Daemon:
    """A shard that lives and says that."""

    def start(said: object, *, status: int = 200, shard: int = 0) -> Loopback:
        server = loopback(status, json.dumps(said).encode())
        seat(server.place, shard)
        return server

    return start


def words(shard: int, **changes: object) -> dict[str, Any]:
    """What a shard says of itself."""
    return READY | {"shard": shard} | changes


def gone() -> str:
    """Where nobody listens any more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def company(slug: str, holder: int | None, state: str) -> dict[str, Any]:
    """A company, as some shard sees it."""
    return {**READY["companies"][0], "slug": slug, "shard": holder, "state": state}


def test_a_ready_daemon_is_shown_with_all_that_waits_for_a_person(
    lyrox: Lyrox, config: Path, daemon: Daemon
) -> None:
    server = daemon(READY)

    said = lyrox("status", "--config", config)

    assert said.code == 0
    assert server.asked == [("/status", None)]
    assert said.out.startswith("ready, LYROX 0.1.0, up 1 h 2 min, answers by offline")
    assert "no WhatsApp paired yet. Pair it with `lyrox pair acme`.\n" in said.out
    assert "3 messages pending, the oldest for 1 min 15 s; 1 to be sent" in said.out
    assert "+13055550100" in said.out


def test_living_workers_are_shown_once_however_many_shards_there_are(
    lyrox: Lyrox, config: Path, daemon: Daemon
) -> None:
    worker = {"name": "mars:71", "number": 2, "seconds": 75, "turns": 1}
    for shard in (0, 1):
        daemon(words(shard, workers=[worker]), shard=shard)

    said = lyrox("status", "--config", config)

    assert said.out.count("  worker 2 (mars:71): up 1 min 15 s, 1 turn at work\n") == 1


def test_what_a_customer_calls_herself_cannot_move_the_cursor(
    lyrox: Lyrox, config: Path, daemon: Daemon
) -> None:
    daemon(READY)

    assert "\x1b" not in lyrox("status", "--config", config).out


def test_what_is_amiss_and_what_could_not_be_delivered_is_shown(
    lyrox: Lyrox, config: Path, daemon: Daemon
) -> None:
    at = "2026-03-01T10:00:00+00:00"
    letter = {
        "company": "acme",
        "channel": "webhook",
        "type": "alert.begun",
        "since": at,
        "attempts": 290,
        "reason": "answered 500",
    }
    amiss = {"company": "acme", "kind": "logged_out", "since": at, "told": None}
    alerts = {"open": [amiss], "waiting": 0, "dead": 21, "letters": [letter]}
    daemon(READY | {"alerts": alerts})

    said = lyrox("status", "--config", config)

    assert said.code == 0
    assert f"acme   logged_out  {at}  -" in said.out
    assert "21 dead letters: nobody took them for a day" in said.out
    assert "`lyrox alert retry` sends them again" in said.out
    assert f"acme     webhook  alert.begun  {at}  290    answered 500" in said.out


def test_companies_that_no_process_has_room_for_are_counted_with_what_to_do(
    lyrox: Lyrox, config: Path, daemon: Daemon
) -> None:
    full = [company(f"c{n}", None, "disconnected") | {"reason": "no_room"} for n in range(2)]
    others = [company("held", 1, "disconnected") | {"reason": "no_room"}, *full]
    held = [company("held", 1, "connected") | {"reason": "online"}]
    daemon(words(0, companies=others))
    daemon(words(1, companies=held), shard=1)

    said = lyrox("status", "--config", config)

    assert "2 companies wait for room: start another shard, `lyrox run --shard 2`" in said.out


def test_a_daemon_that_is_not_ready_says_why(lyrox: Lyrox, config: Path, daemon: Daemon) -> None:
    daemon(
        READY | {"ready": False, "problems": ["Redis does not answer"]},
        status=503,
    )

    said = lyrox("status", "--config", config)

    assert said.code == 3
    assert said.out.startswith("not ready")
    assert "problem: Redis does not answer" in said.out


def test_programs_get_the_daemons_own_words(lyrox: Lyrox, config: Path, daemon: Daemon) -> None:
    server = daemon(READY)

    said = json.loads(lyrox("status", "--json", "--config", config).out)

    facts = {"ready": True, "uptime_seconds": 3725, "version": "0.1.0"}
    assert said.pop("shards") == [{"shard": 0, "listen": server.place, **facts}]
    assert said == {key: value for key, value in READY.items() if key != "shard"}


def test_all_shards_are_shown_and_each_company_as_its_holder_sees_it(
    lyrox: Lyrox, config: Path, daemon: Daemon
) -> None:
    seen = [company("acme", 1, "disconnected"), company("lido", 0, "connected")]
    daemon(words(0, companies=seen))
    seen = [company("acme", 1, "connected"), company("lido", 0, "qr_pending")]
    daemon(words(1, companies=seen), shard=1)

    said = lyrox("status", "--config", config)
    for_programs = lyrox("status", "--json", "--config", config)

    assert said.code == 0
    assert said.out.startswith("ready, LYROX 0.1.0, 2 shards")
    assert "  shard 1: ready, up 1 h 2 min, http://127.0.0.1:" in said.out
    companies = said.out.partition("SHARD")[2].splitlines()
    rows = [line.split()[:4] for line in companies[1:3]]
    assert rows == [["acme", "connected", "yes", "1"], ["lido", "connected", "yes", "0"]]
    assert [one["shard"] for one in json.loads(for_programs.out)["shards"]] == [0, 1]


def test_one_shard_that_is_not_ready_is_named(lyrox: Lyrox, config: Path, daemon: Daemon) -> None:
    daemon(words(0))
    away = words(1, ready=False, problems=["Redis does not answer"])
    daemon(away, shard=1)

    said = lyrox("status", "--config", config)

    assert said.code == 3
    assert "problem: shard 1: Redis does not answer" in said.out
    assert "shard 0: Redis" not in said.out


def test_a_killed_shard_is_named_with_what_to_do(
    lyrox: Lyrox, config: Path, tmp_path: Path, daemon: Daemon
) -> None:
    daemon(words(0))
    announce(tmp_path, gone(), shard=1)

    said = lyrox("status", "--config", config)

    assert said.code == 3
    assert (
        "shard 1 has ended without stopping; start it again with `lyrox run --shard 1`" in said.out
    )
    assert "shard-1.json" in said.out


def test_a_shard_that_has_not_announced_itself_yet_is_named(
    lyrox: Lyrox, config: Path, tmp_path: Path, daemon: Daemon
) -> None:
    daemon(words(0))

    with hold_shard(tmp_path / "state", 1):
        said = lyrox("status", "--config", config)

    assert said.code == 3
    assert "shard 1 runs but gives no answer" in said.out
    assert lyrox("status", "--config", config).code == 0


def test_a_shard_on_the_port_of_a_killed_one_is_not_taken_for_it(
    lyrox: Lyrox, config: Path, daemon: Daemon, seat: Seat
) -> None:
    server = daemon(words(0))
    seat(server.place, shard=1)

    said = lyrox("status", "--config", config)

    assert said.code == 3
    assert "shard 1 runs but gives no answer" in said.out


def test_a_daemon_of_others_on_the_port_of_a_killed_one_is_not_asked(
    lyrox: Lyrox, config: Path, tmp_path: Path, loopback: Serve
) -> None:
    others = loopback(200, json.dumps(READY).encode())
    announce(tmp_path, others.place)

    said = lyrox("status", "--config", config)

    assert (said.code, others.asked) == (3, [])
    assert "shard 0 has ended without stopping" in said.out
    assert "+13055550100" not in said.out


def test_many_shards_that_hang_are_not_waited_for_one_after_another(
    lyrox: Lyrox, config: Path, seat: Seat
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for shard in range(8):
            seat(f"127.0.0.1:{silent.getsockname()[1]}", shard)
        began = time.monotonic()

        assert lyrox("status", "--config", config).code == 3

    assert time.monotonic() - began < 3


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
    lyrox: Lyrox, config: Path, loopback: Serve, body: bytes, seat: Seat
) -> None:
    seat(loopback(200, body).place)

    assert lyrox("status", "--config", config).code == 3


def test_a_daemon_that_died_without_a_word_is_no_daemon(
    lyrox: Lyrox, config: Path, tmp_path: Path
) -> None:
    announce(tmp_path, gone())

    assert lyrox("status", "--config", config).code == 3


def test_a_daemon_that_hangs_is_not_waited_for(lyrox: Lyrox, config: Path, seat: Seat) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        seat(f"127.0.0.1:{silent.getsockname()[1]}")

        assert lyrox("status", "--config", config).code == 3


def test_a_proxy_of_the_environment_is_not_asked(
    lyrox: Lyrox, config: Path, monkeypatch: pytest.MonkeyPatch, daemon: Daemon
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    daemon(READY)

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


def test_what_is_on_the_disk_and_how_long_something_has_lasted_is_shown(
    lyrox: Lyrox, config: Path, daemon: Daemon
) -> None:
    sentence = "Redis does not answer: until it is back, turns run in this process"
    degraded = [{"mode": "redis", "seconds": 75, "says": sentence}]
    aside = [{"company": "acme", "events": 2}]
    said = words(0, ready=False, problems=[sentence], degraded=degraded)
    daemon(said | {"journal": 14, "set_aside": aside})

    shown = lyrox("status", "--config", config).out

    assert f"  problem: {sentence} (for 1 min 15 s)\n" in shown
    assert "14 messages on the disk, not taken in yet\n" in shown
    assert "2 messages of acme set aside, because LYROX fails on them: `lyrox aside list`" in shown
