"""The unit files: accepted by systemd, tight, and in step with what the daemon does."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.cli.arguments import parse
from bot.cli.exits import Exit
from bot.config import Daemon
from bot.embedded import client
from bot.road import NOTES_DRAIN_SECONDS

UNITS = Path(__file__).resolve().parents[2] / "systemd"
SERVICE, TURNS = UNITS / "lyrox-worker.service", UNITS / "lyrox-turns@.service"
BOTH = pytest.mark.parametrize("unit", [SERVICE, TURNS], ids=["daemon", "turns"])
ANSWERING = ("postgres_url", "redis_url", "mongo_url", "openai_api_key")
SECRETS = {
    SERVICE: {*ANSWERING, "webhook_secret", "smtp_password", "pairing_key"},
    TURNS: {*ANSWERING},
}
EXPOSURE = 15
"""Of 100; 12 was reached, a unit without hardening has 92."""


def _values(key: str, unit: Path = SERVICE) -> list[str]:
    found = re.findall(rf"^{key}=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
    return [str(value) for value in found]


def _seconds(key: str, unit: Path = SERVICE) -> float:
    (value,) = _values(key, unit)
    return float(value.removesuffix("s"))


def _analyze(*words: str | Path) -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is missing on this machine")
    ran = subprocess.run(
        [program, *map(str, words)], capture_output=True, text=True, check=False, timeout=50
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stderr


def _checkable(folder: Path, names: Sequence[str]) -> list[Path]:
    """Copies that name a program this machine has; all else stays as it is shipped."""
    copies = []
    for name in names:
        text = (UNITS / name).read_text(encoding="utf-8")
        copy = folder / name
        copy.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", text))
        copies.append(copy)
    return copies


def test_systemd_accepts_services_and_target_without_a_word(tmp_path: Path) -> None:
    units = _checkable(tmp_path, ["lyrox-worker.service", "lyrox-turns@.service", "lyrox.target"])

    said = _analyze("verify", *units)

    ours = [line for line in said.splitlines() if "lyrox" in line]
    assert not ours


@BOTH
def test_each_service_is_tightly_confined(unit: Path) -> None:
    _analyze("security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", unit)


def test_both_services_are_confined_alike() -> None:
    start, end = "NoNewPrivileges=", "SystemCallErrorNumber="
    confined = [
        re.findall(rf"(?ms)^{start}.*^{end}\w+", unit.read_text(encoding="utf-8"))
        for unit in (SERVICE, TURNS)
    ]

    assert confined[0] == confined[1] != []


def test_what_only_newer_systemds_know_stands_in_the_drop_in_alone() -> None:
    drop_in = UNITS / "lyrox-worker.service.d" / "10-systemd254.conf"

    assert _values("RestartSteps", drop_in)
    for key in ("RestartSteps", "RestartMaxDelaySec", "ImportCredential"):
        assert not _values(key)
    assert _values("Type") == ["notify"]  # notify-reload would silently become simple before 253.


def test_a_hundred_sessions_have_room_for_their_files_and_threads() -> None:
    (files,), (threads,) = _values("LimitNOFILE"), _values("TasksMax")

    assert int(files) >= 16384  # 5 descriptors a session, and what its starts leak.
    assert int(threads) >= 100 * 3 + 512


@BOTH
def test_a_wrong_configuration_is_not_retried_and_everything_else_is(unit: Path) -> None:
    assert _values("RestartPreventExitStatus", unit) == [str(int(Exit.CONFIGURATION))]
    assert _values("Restart", unit) == ["always"]
    assert _values("StartLimitIntervalSec", unit) == ["0"]


def test_a_daemon_that_grew_too_large_has_not_failed() -> None:
    assert _values("SuccessExitStatus") == [str(int(Exit.START_AGAIN))]


@BOTH
def test_a_stop_may_take_as_long_as_everything_in_it_together(unit: Path) -> None:
    longest = Daemon().drain_seconds + NOTES_DRAIN_SECONDS + client._LEAVE_SECONDS

    assert _seconds("TimeoutStopSec", unit) > longest + 20


@BOTH
def test_private_stores_are_ended_by_their_users_not_by_systemd(unit: Path) -> None:
    assert _values("KillMode", unit) == ["mixed"]


@BOTH
def test_each_secret_may_be_missing(unit: Path) -> None:
    loaded = {value.partition(":")[0]: value for value in _values("LoadCredential", unit)}

    assert set(loaded) == SECRETS[unit]
    for name in SECRETS[unit]:
        assert loaded[name] == f"{name}:/etc/lyrox/credentials/{name}"
        assert f"{name}:\\n" in _values("SetCredential", unit)


def test_each_instance_of_the_turns_is_a_worker_of_its_own_number() -> None:
    (command,) = _values("ExecStart", TURNS)

    words = command.split()[1:]

    assert parse([word.replace("%i", "3") for word in words]).number == 3
    assert SERVICE.name in _values("After", TURNS)[0].split()  # Whose private stores it joins.


def test_an_empty_secret_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bot.config import secret

    (tmp_path / "postgres_url").write_text("\n", encoding="utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.delenv("LYROX_POSTGRES_URL", raising=False)

    assert secret("postgres_url") is None


def test_the_lyrox_command_of_root_runs_as_the_services_user(tmp_path: Path) -> None:
    fake = tmp_path / "systemd-run"
    fake.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n", encoding="utf-8")
    fake.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"

    ran = subprocess.run(
        [UNITS / "lyrox", "chat", "acme", "--once", "two  words"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": path},
    )

    words = ran.stdout.splitlines()
    assert {"--uid=lyrox", "--gid=lyrox", "--wait", "--pipe", "--pty"} <= set(words)
    program = _values("ExecStart")[0].split()[0]
    config = ["--config", "/etc/lyrox/config.toml"]
    assert words[words.index(program) :] == [
        program,
        "chat",
        "acme",
        "--once",
        "two  words",
        *config,
    ]


@BOTH
def test_service_and_target_belong_together(unit: Path) -> None:
    assert _values("PartOf", unit) == ["lyrox.target"]
    assert _values("WantedBy", unit) == ["lyrox.target"]
    assert _values("WantedBy", UNITS / "lyrox.target") == ["multi-user.target"]


def test_user_and_folders_are_the_ones_the_service_names() -> None:
    users = (UNITS / "sysusers.d" / "lyrox.conf").read_text(encoding="utf-8")
    folders = (UNITS / "tmpfiles.d" / "lyrox.conf").read_text(encoding="utf-8")

    for unit in (SERVICE, TURNS):
        assert _values("User", unit) == _values("Group", unit) == ["lyrox"]
    assert re.search(r"^u lyrox ", users, re.MULTILINE)
    for folder in ("/etc/lyrox ", "/etc/lyrox/credentials ", "/var/lib/lyrox "):
        assert f"d {folder}" in folders


def test_systemd_makes_the_user(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()

    _make("systemd-sysusers", f"--root={tmp_path}", UNITS / "sysusers.d" / "lyrox.conf")

    assert "lyrox:" in (tmp_path / "etc/passwd").read_text(encoding="utf-8")


def test_systemd_makes_the_folders(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/:\nlyrox:x:995:995::/:\n")
    (tmp_path / "etc/group").write_text("root:x:0:\nlyrox:x:995:\n")

    _make("systemd-tmpfiles", f"--root={tmp_path}", "--create", UNITS / "tmpfiles.d" / "lyrox.conf")

    assert (tmp_path / "etc/lyrox/credentials").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "var/lib/lyrox").stat().st_uid == 995


def _make(name: str, *words: str | Path) -> None:
    """Run a program of systemd that makes things, in a root of the test's own."""
    program = shutil.which(name)
    if program is None or os.geteuid():
        pytest.skip(f"{name} is missing or we are not root")
    ran = subprocess.run(
        [program, *map(str, words)], capture_output=True, text=True, check=False, timeout=50
    )
    assert (ran.returncode, "ignoring" in ran.stderr) == (0, False), ran.stderr
