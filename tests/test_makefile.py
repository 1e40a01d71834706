"""The newcomer's first minute: what a machine lacks is said before anything happens."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("make", "sh", "cat", "rm", "grep", "env")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout on a machine that has hardly anything; its ``bin`` is all of the path."""
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (tmp_path / "bin" / tool).symlink_to(found)
    for name in ("Makefile", "pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def install(machine: Path, program: str, script: str) -> None:
    path = machine / "bin" / program
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def made(machine: Path, target: str) -> tuple[int, list[str]]:
    """The exit status, and what was said by us."""
    ended = subprocess.run(
        [str(machine / "bin" / "make"), target],
        cwd=machine,
        env={"PATH": str(machine / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, [line for line in ended.stderr.splitlines() if "lyrox:" in line]


@pytest.mark.parametrize("target", ["run", "test", "check"])
def test_all_that_is_missing_is_named_in_one_sentence(machine: Path, target: str) -> None:
    status, said = made(machine, target)

    assert status != 0
    assert said == [
        (
            "lyrox: please install Python 3.11, 3.12 or 3.13 (package python3)"
            " and git (package git), then run make again."
        )
    ]
    assert not (machine / ".venv").exists()


def test_a_python_of_another_version_does_not_count(machine: Path) -> None:
    install(machine, "python3", "exit 1")  # How the version question is answered.
    install(machine, "git", "exit 0")

    _, said = made(machine, "run")

    assert len(said) == 1
    assert "Python 3.11, 3.12 or 3.13" in said[0]
    assert "git" not in said[0]


def test_a_python_without_its_venv_module_is_told_apart(machine: Path) -> None:
    install(machine, "git", "exit 0")
    install(machine, "python3.12", 'case "$2" in *ensurepip*) exit 1;; *) exit 0;; esac')

    _, said = made(machine, "run")

    assert said == [
        (
            "lyrox: please install the venv and pip modules of python3.12 (package python3-venv),"
            " then run make again."
        )
    ]
