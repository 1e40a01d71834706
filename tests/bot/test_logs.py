"""What a log line shows, and what it must never show."""

import asyncio
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO
from uuid import UUID

import pytest

from bot.logs import configure, log_context, shorten

log = logging.getLogger("bot.test_logs")


@pytest.fixture(autouse=True)
def former_logging() -> Iterator[None]:
    """Leave logging as the test runner wants it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in ("bot", "handlers", "models")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, former in levels.items():
        logging.getLogger(name).setLevel(former)
    logging.captureWarnings(capture=False)


@pytest.fixture
def terminal() -> io.StringIO:
    """What a person sees."""
    stream = io.StringIO()
    configure(stream=stream)
    return stream


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[TextIO]:
    """A stream that systemd reads, as far as our process can tell."""
    with (tmp_path / "journal").open("w+", encoding="utf-8") as stream:
        seen = os.fstat(stream.fileno())
        os.environ["JOURNAL_STREAM"] = f"{seen.st_dev}:{seen.st_ino}"
        try:
            configure(stream=stream)
            yield stream
        finally:
            del os.environ["JOURNAL_STREAM"]


def _log_failure(message: str, why: str) -> None:
    def fail() -> None:
        raise ValueError(why)

    try:
        fail()
    except ValueError:
        log.exception(message)


def _lines(journal: TextIO) -> list[tuple[str, dict[str, object]]]:
    journal.seek(0)
    found = (line.partition(">") for line in journal.read().splitlines())
    return [(f"{head}>", json.loads(rest)) for head, _, rest in found]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("+13055550167", "+1305…67"),
        ("from +52 1 55 1234 5678.", "from +5215…78."),
        ("13055550167@s.whatsapp.net", "1305…67@s.whatsapp.net"),
        ("13055550167:12@s.whatsapp.net", "1305…67:12@s.whatsapp.net"),
        ("lid:249876543210987", "lid:2498…87"),
        ("13055550167-1611111111@g.us", "1305…67-1611…11@g.us"),
        ("(phone)=(+13055550167) exists", "(phone)=(+1305…67) exists"),
        ("+5491112", "+54…12"),
    ],
)
def test_a_phone_number_is_shortened_wherever_it_stands(text: str, shown: str) -> None:
    assert shorten(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "12345678-1234-4234-8234-123456789012",
        "3EB0123456789ABCDEF0",
        "0000000000012345.journal",
        "2026-03-01T12:30:00+00:00",
        "127.0.0.1:8710",
        "98.00 USD",
    ],
)
def test_ids_dates_and_prices_stay_readable(text: str) -> None:
    assert shorten(text) == text


def test_a_terminal_line_reads_like_a_sentence_with_its_fields(terminal: io.StringIO) -> None:
    log.info("ready", extra={"listen": "127.0.0.1:8710", "why": "it was time"})
    log.warning("turn waits")

    ready, waits = terminal.getvalue().splitlines()
    assert ready[8:] == ' ready  listen=127.0.0.1:8710  why="it was time"'
    assert waits[8:] == " warning: turn waits"


def test_nothing_from_outside_forges_a_line_or_steers_a_terminal(terminal: io.StringIO) -> None:
    log.info("hello %s", "a\nFORGED", extra={"name_shown": "b\x1b[2J\u202e\r\nFORGED"})

    (line,) = terminal.getvalue().splitlines()
    assert line[8:] == r" hello a\nFORGED  name_shown=b\x1b[2J\u202e\r\nFORGED"


def test_a_traceback_follows_on_a_terminal(terminal: io.StringIO) -> None:
    _log_failure("turn failed", "no such number: +13055550167")

    first, *rest = terminal.getvalue().splitlines()
    assert first.endswith("error: turn failed")
    assert rest[-1] == "ValueError: no such number: +1305…67"


def test_a_journal_line_is_a_priority_and_one_json_object(journal: TextIO) -> None:
    log.info("listo, señor", extra={"count": 13055550167, "hosts": {UUID(int=1)}})
    log.error("broken")

    (info, said), (error, _) = _lines(journal)
    assert (info, error) == ("<6>", "<3>")
    assert said == {
        "level": "info",
        "logger": "bot.test_logs",
        "message": "listo, señor",
        "count": 13055550167,
        "hosts": ["00000000-0000-0000-0000-000000000001"],
    }


def test_an_exception_is_one_line_in_the_journal(journal: TextIO) -> None:
    _log_failure("turn failed", "two\nlines")

    ((priority, said),) = _lines(journal)
    assert priority == "<3>"
    assert said["error"] == "ValueError: two\nlines"
    assert str(said["traceback"]).startswith("Traceback (most recent call last):\n")


def test_the_row_that_postgresql_refused_is_not_told(journal: TextIO) -> None:
    detail = "DETAIL:  Failing row contains (1, my\nsecret)."
    _log_failure("not kept", f"violates a constraint\n{detail}\nHINT:  Try.")

    ((_, said),) = _lines(journal)
    assert "secret" not in json.dumps(said)
    assert said["error"] == "ValueError: violates a constraint\nHINT:  Try."


def test_every_field_is_free_of_full_phone_numbers(journal: TextIO) -> None:
    nested = {"who": ["+13055550167", {"chat": "13055550167@s.whatsapp.net"}]}
    with log_context(chat="13055550167@s.whatsapp.net"):
        log.warning("message from %s", "+13055550167", extra=nested)

    journal.seek(0)
    assert "5550" not in journal.read()


def test_lone_surrogates_do_not_break_a_line(journal: TextIO) -> None:
    log.info("broken emoji \ud83d")

    journal.seek(0)
    assert "\\ud83d" in journal.read()


def test_a_service_that_writes_elsewhere_gets_readable_lines(journal: TextIO) -> None:
    elsewhere = io.StringIO()
    configure(stream=elsewhere)

    log.info("hello")

    assert elsewhere.getvalue().endswith(" hello\n")


async def test_context_follows_into_tasks_and_does_not_leak_out(terminal: io.StringIO) -> None:
    async def work(name: str) -> None:
        with log_context(turn=name):
            await asyncio.sleep(0)
            log.info("inside")

    with log_context(company="acme", wa_id="3EB0"):
        await asyncio.gather(*(asyncio.create_task(work(name)) for name in ("one", "two")))
        log.info("around", extra={"company": "other"})
    log.info("outside")

    assert [line[9:] for line in terminal.getvalue().splitlines()] == [
        "inside  company=acme  wa_id=3EB0  turn=one",
        "inside  company=acme  wa_id=3EB0  turn=two",
        "around  company=other  wa_id=3EB0",
        "outside",
    ]


def test_only_we_follow_the_level_and_others_tell_troubles_only(terminal: io.StringIO) -> None:
    configure("debug", stream=terminal)

    for name in ("bot.turns", "openai._base_client", "aiohttp.access", "taskiq", "tortoise"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.debug("chatter of %s", name)
    logging.getLogger("taskiq").warning("trouble")
    logging.getLogger("bot.turns").setLevel(logging.NOTSET)

    assert [line[9:] for line in terminal.getvalue().splitlines()] == [
        "debug: chatter of bot.turns",
        "warning: trouble",
    ]


def test_configuring_twice_writes_each_line_once(terminal: io.StringIO) -> None:
    configure(stream=terminal)

    log.info("once")

    assert terminal.getvalue().count("once") == 1


def test_a_library_that_configures_logging_at_import_changes_nothing() -> None:
    program = (
        "import logging; from bot.logs import configure; configure()\n"
        "import openai, taskiq, tortoise\n"
        "logging.basicConfig(level=logging.DEBUG)  # As neonize does at import.\n"
        "logging.getLogger('whatsmeow.Client').info('chatter')\n"
        "logging.getLogger('bot').info('ours')\n"
        "print(len(logging.getLogger().handlers))\n"
    )
    environ = {**os.environ, "OPENAI_LOG": "debug"}

    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ
    )

    assert ran.stdout == "1\n"
    assert [line[9:] for line in ran.stderr.splitlines()] == ["ours"]
