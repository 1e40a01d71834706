"""What ``lyrox run`` and ``lyrox chat`` check before anything is opened."""

from pathlib import Path

import pytest

from tests.bot.cli.conftest import Lyrox, write_config


@pytest.mark.parametrize("command", ["run", "worker"])
def test_check_says_one_line_and_starts_nothing(lyrox: Lyrox, tmp_path: Path, command: str) -> None:
    config = write_config(tmp_path, limits={"turns_per_host": 8})

    said = lyrox(command, "--check", "--config", config)

    assert said.code == 0
    assert said.out.startswith(f"{config}: OK")
    assert said.out.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--check"),
        ("run",),
        ("worker",),
        ("worker", "--check"),
        ("chat", "acme"),
        ("status",),
    ],
)
def test_a_wrong_configuration_is_refused_before_anything_starts(
    lyrox: Lyrox, tmp_path: Path, words: tuple[str, ...]
) -> None:
    config = write_config(tmp_path, limits={"turns_per_hosts": 8})

    said = lyrox(*words, "--config", config)

    assert said.code == 78
    assert "limits.turns_per_hosts: unknown key; did you mean limits.turns_per_host?" in said.err


@pytest.mark.parametrize("name", ["", "   ", "a" * 17])
def test_a_customers_name_must_fit_its_column(lyrox: Lyrox, config: Path, name: str) -> None:
    said = lyrox("chat", "acme", "--as", name, "--once", "hola", "--config", config)

    assert said.code == 2
    assert said.err.startswith("lyrox: --as: ")


def test_a_worker_makes_no_stores_of_its_own(lyrox: Lyrox, tmp_path: Path) -> None:
    config = write_config(tmp_path, stores={"data_dir": "mine", "redis": "redis://127.0.0.1:1/0"})

    said = lyrox("worker", "--config", config)

    assert said.code == 78
    assert "no private postgres, mongod to join" in said.err
    assert not (tmp_path / "mine").exists()


def test_an_empty_message_is_refused(lyrox: Lyrox, config: Path) -> None:
    assert lyrox("chat", "acme", "--once", " ", "--config", config).code == 2
