"""The house rules that import-linter keeps: each of them stands, and each of them can fail."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = PROJECT["tool"]["importlinter"]["contracts"]
LAYERS = ("bot", "handlers", "models")
EVERYWHERE = {"pydantic"}
"""What any room may use, as if Python brought it."""

IMPORT_NAMES = {"tortoise-orm": "tortoise"}
"""Where a distribution is imported by another name than its own."""

VERDICT = re.compile(r"^(?P<name>.+?) (?P<verdict>KEPT|BROKEN)\b", re.MULTILINE)


def dependencies() -> set[str]:
    names = {re.split(r"[\[<>=~!; ]", line)[0] for line in PROJECT["project"]["dependencies"]}
    return {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names}


def verdicts(folder: Path) -> dict[str, str]:
    said = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return {found["name"]: found["verdict"] for found in VERDICT.finditer(said)}


def guarded_libraries() -> set[str]:
    return {name for each in CONTRACTS for name in each.get("forbidden_modules", ())}


def test_every_dependency_has_one_door() -> None:
    assert dependencies() - EVERYWHERE <= guarded_libraries()


def test_every_wall_breaks_when_somebody_walks_through_it(tmp_path: Path) -> None:
    for layer in LAYERS:
        shutil.copytree(
            ROOT / layer, tmp_path / layer, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    lines = ["import bot.config", *(f"import {name}" for name in sorted(guarded_libraries()))]
    for room in ("handlers", "bot/pairing"):
        (tmp_path / room / "stray.py").write_text("\n".join(lines), encoding="utf-8")

    found = verdicts(tmp_path)

    assert found == {contract["name"]: "BROKEN" for contract in CONTRACTS}


def test_no_library_is_imported_past_the_linter_but_neonize_in_its_own_room() -> None:
    libraries = "|".join(dependencies() - EVERYWHERE)
    by_name = re.compile(rf"(import_module|find_spec|__import__)\(\s*[\"']({libraries})\b")
    found = {
        str(path.relative_to(ROOT))
        for layer in LAYERS
        for path in (ROOT / layer).rglob("*.py")
        if by_name.search(path.read_text(encoding="utf-8"))
    }

    assert found == {"bot/whatsapp/library.py"}
