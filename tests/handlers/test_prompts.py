"""Texts are found without a checkout, complete, and refused with the name of the file."""

import re
import shutil
import tomllib
from dataclasses import fields
from pathlib import Path
from string import Template

import pytest

from handlers import Prompts, load_prompts
from handlers.prompts import Phrases, fill
from models.errors import StartupRefused

PROJECT = Path(__file__).parent.parent.parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the texts that a test may spoil."""
    copy = tmp_path / "prompts"
    shutil.copytree(PROJECT / "prompts", copy)
    return copy


def test_the_wheel_carries_the_texts() -> None:
    wheel = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["hatch"]["build"][
        "targets"
    ]["wheel"]

    assert "prompts" in wheel["packages"]


def test_a_missing_file_refuses_the_start_and_is_named(folder: Path) -> None:
    (folder / "es" / "rules.md").unlink()

    with pytest.raises(StartupRefused, match=r"^prompt file \S+rules\.md is missing; restore it"):
        load_prompts(folder)


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("es/rules.md", "", r"rules\.md must hold text with exactly \$canary, \$company"),
        ("es/rules.md", "$company", r"rules\.md must hold text with exactly"),
        ("es/customer.md", "$name $stage $phone", r"customer\.md must hold text with exactly"),
        ("es/repair.md", "cuesta 5 $", r"repair\.md must hold text with exactly no slot"),
        ("es/phrases.toml", "a = [", r"phrases\.toml is not valid TOML"),
        ("es/phrases.toml", "", r"phrases\.toml lacks the text answer_shortly"),
        ("en/phrases.toml", "", r"phrases\.toml lacks the text answer_shortly"),
        ("es/company.md", b"\xff\xfe\xff", r"company\.md cannot be read"),
    ],
)
def test_a_spoiled_file_refuses_the_start_and_is_named(
    file: str, content: str | bytes, complaint: str, folder: Path
) -> None:
    spoiled = content if isinstance(content, bytes) else content.encode()
    (folder / file).write_bytes(spoiled)

    with pytest.raises(StartupRefused, match=complaint):
        load_prompts(folder)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('not_text = ""', r"phrases\.toml \(not_text\) must hold text"),
        ("not_text = 3", r"phrases\.toml \(not_text\) must hold text"),
        ('not_text = "hola $name"', r"\(not_text\) must hold text with exactly no slot"),
        ('greeting = "hola"', r"\(greeting\) must hold text with exactly \$company, \$name"),
        ('extra = "hola"', r"phrases\.toml has the unknown text extra"),
    ],
)
def test_a_spoiled_phrase_is_named(line: str, complaint: str, folder: Path) -> None:
    file = folder / "es" / "phrases.toml"
    name = line.split(" ", 1)[0]
    kept = [old for old in file.read_text().splitlines() if not old.startswith(f"{name} =")]
    file.write_text("\n".join([line, *kept]))

    with pytest.raises(StartupRefused, match=complaint):
        load_prompts(folder)


def test_owner_text_is_never_expanded_again() -> None:
    assert fill("Hola $name", name="$company ${x} $$") == "Hola $company ${x} $$"


@pytest.mark.parametrize("phrase", [field.name for field in fields(Phrases)])
def test_both_languages_say_the_same_with_the_same_slots(phrase: str, prompts: Prompts) -> None:
    spanish, english = (getattr(prompts.say(language), phrase) for language in ("es", "en"))

    assert _slots(spanish) == _slots(english)
    beside_slots = re.sub(r"\$\w+", "", spanish)
    assert spanish != english or not any(map(str.isalpha, beside_slots))


def _slots(text: str) -> list[str]:
    return sorted(Template(text).get_identifiers())


def test_the_version_changes_with_what_a_model_reads(folder: Path, prompts: Prompts) -> None:
    file = folder / "es" / "repair.md"
    file.write_text(file.read_text() + " Gracias.")

    assert load_prompts(folder).version != prompts.version
