"""What a pipeline may not skip, seen from outside: pytest run on a few tests of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.required import REASON, REQUIRED
from tests.whatsapp_server.library import client_library

ROOT = Path(__file__).resolve().parent.parent
HOOKS = """
from tests.required import (
    pytest_collection_modifyitems,
    pytest_required_makereport,
    pytest_terminal_summary,
)
"""
ELSEWHERE = """
from tests.required import mark, pytest_required_makereport, pytest_terminal_summary

def pytest_collection_modifyitems(items):
    mark(items, None)
"""
TESTS = """
import pytest

@pytest.mark.whatsapp
def test_meets_the_client():
    pass

@pytest.mark.whatsapp
def test_skips_by_itself():
    pytest.skip("nobody is at home")

def test_is_about_something_else():
    pytest.skip("another reason")
"""


def run(folder: Path, hooks: str, *, required: bool = False, workers: int = 0) -> tuple[int, str]:
    """Pytest's exit status and what it says."""
    (folder / "conftest.py").write_text(hooks)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = whatsapp")
    (folder / "test_it.py").write_text(TESTS)
    environment = os.environ | {"PYTHONPATH": str(ROOT), REQUIRED: "1" if required else "0"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-ra", "-n", str(workers), "-p", "no:cacheprovider"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_a_skip_fails_where_the_tests_must_run(tmp_path: Path) -> None:
    status, said = run(tmp_path, HOOKS, required=True, workers=2)

    assert status == 1
    assert "1 failed, 1 passed, 1 skipped" in said
    assert "this test was skipped. Skipped: nobody is at home" in said
    assert "whatsapp: 1 tests ran, 1 were skipped" in said


def test_a_skip_is_a_skip_where_nothing_is_required(tmp_path: Path) -> None:
    status, said = run(tmp_path, HOOKS)

    assert status == 0
    assert "1 passed, 2 skipped" in said
    assert "whatsapp: 1 tests ran, 1 were skipped" in said


def test_other_machines_skip_them_all_with_the_reason(tmp_path: Path) -> None:
    status, said = run(tmp_path, ELSEWHERE)

    assert status == 0
    assert "3 skipped" in said
    assert REASON in said
    assert "whatsapp: 0 tests ran, 2 were skipped" in said


@pytest.mark.parametrize("place", [("linux", "aarch64"), ("darwin", "x86_64"), ("win32", "AMD64")])
def test_only_linux_on_x86_64_has_a_server_for_the_client(place: tuple[str, str]) -> None:
    assert client_library(place) is None
