"""The command line's words: every command of the manual, and mistakes in one sentence."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from bot.cli.arguments import parse
from models.errors import BadInput
from tests.bot.cli.conftest import Lyrox

COMMANDS = [
    "run --shard 2 --setup --check",
    "status --json",
    "chat acme --as ana --once hola --wait 3 --json",
    "pair acme --json",
    "pause acme",
    "pause acme +13055550100",
    "resume acme lid:123",
    "seed emilio-born",
    "company list",
    "company add acme --owner ana@acme.test --name Acme --personality Hola",
    "company show acme --json",
    "company set acme --active no",
    "product list acme",
    "product add acme --name Pan --price 2.50",
    "product set acme Pan --price 3",
    "db migrate",
    "doctor --json",
]


@pytest.mark.parametrize("words", COMMANDS)
def test_each_command_of_the_manual_leads_to_code(words: str) -> None:
    module, _, name = parse(words.split()).command.partition(":")

    assert callable(getattr(import_module(module), name))


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_takes_a_configuration_before_or_after_its_name(words: str) -> None:
    before = parse(["--config", "mine.toml", *words.split()])
    after = parse([*words.split(), "--config", "mine.toml"])

    assert before.config == after.config == Path("mine.toml")


def test_without_a_word_about_it_no_configuration_is_named() -> None:
    assert parse(["status"]).config is None


@pytest.mark.parametrize(
    "words",
    [
        "",
        "dance",
        "company",
        "company dance",
        "status now",
        "status --loud",
        "stat",
        "run --shard one",
        "run --shard -1",
        "chat",
        "chat acme --wait never",
        "chat acme --wait nan",
        "chat acme --wait -1",
        "seed somebody",
        "company add acme --name Acme",
        "product set acme",
        "db",
        "db undo",
    ],
)
def test_bad_arguments_are_told_in_one_sentence(lyrox: Lyrox, words: str) -> None:
    said = lyrox(*words.split())

    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith("lyrox: ")
    assert said.err.count("\n") == 1
    assert "--help` shows" in said.err


@pytest.mark.parametrize("words", [("why", "caf\udce9"), ("--config", "\udcff.toml", "status")])
def test_a_word_that_is_no_text_is_told_in_one_sentence(
    lyrox: Lyrox, words: tuple[str, ...]
) -> None:
    said = lyrox(*words)

    assert (said.code, said.out) == (2, "")
    assert re.fullmatch(r"lyrox: '\S*\\udc\S+': is not UTF-8; .+\n", said.err)


def test_what_a_customer_writes_may_be_no_text() -> None:
    assert parse(["chat", "acme", "--once", "caf\udce9"]).once == "caf\udce9"


def test_help_and_version_end_well() -> None:
    for words in (["--help"], ["company", "add", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as ended:
            parse(words)
        assert ended.value.code == 0


def test_abbreviated_options_are_not_guessed() -> None:
    with pytest.raises(BadInput, match="unrecognized arguments: --conf"):
        parse(["status", "--conf", "mine.toml"])


def test_reading_the_words_imports_nothing_but_the_standard_library_and_ourselves() -> None:
    program = (
        "import sys; before = set(sys.modules); import bot.cli.main;"
        " from bot.cli.arguments import parse; parse(['status']);"
        " new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        " print(*sorted(new - sys.stdlib_module_names))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert said.stdout.split() == ["bot", "models"]
