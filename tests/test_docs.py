"""The documents tell the truth as far as a program can check it: links, paths, commands."""

import re
from pathlib import Path

import pytest

from bot.cli.arguments import parse
from models.errors import BadInput

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
PATH = re.compile(r"`((?:bot|handlers|models|prompts|tests|systemd|benchmarks|docs)/[\w./-]*)`")
COMMAND = re.compile(r"^\| `([a-z -]+?)(?= [A-Z\[]|`|\\)", re.MULTILINE)


NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]

    assert [link for link in local if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_every_named_place_exists(document: Path) -> None:
    named = PATH.findall(document.read_text(encoding="utf-8"))

    assert [path for path in named if not (ROOT / path).exists() and "NNNN" not in path] == []


def test_the_readme_lists_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [row.strip() for row in COMMAND.findall(text)]

    assert len(rows) >= 9
    for row in rows:
        with pytest.raises((BadInput, SystemExit)) as ended:
            parse([*row.split(), "--help"])
        assert ended.type is SystemExit, f"`lyrox {row}` is not a command"


def test_every_test_that_a_document_names_exists() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/*.py"))
    made = set(re.findall(r"^(?:async )?def (test_\w+)", sources, re.MULTILINE))
    named = {
        name
        for document in DOCUMENTS
        for name in re.findall(r"`(test_\w+)`", document.read_text(encoding="utf-8"))
    }

    assert len(named) > 40
    assert named - made == set()
