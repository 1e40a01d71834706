"""Errors become exit codes and sentences in one place."""

import os
import ssl
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import IO, NoReturn

import pytest

from bot.cli.exits import guarded
from models.errors import (
    BadInput,
    CompanyScopeMissing,
    GiveUp,
    RetryLater,
    StartAgain,
    StartupRefused,
    Unavailable,
)


def ending(error: BaseException) -> int:
    def command() -> NoReturn:
        raise error

    return guarded(command)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("there is no company 'x'"), 2),
        (Unavailable("PostgreSQL does not answer"), 75),
        (RetryLater("Redis does not answer"), 75),
        (StartupRefused("the database is newer"), 78),
        (StartAgain("too many open files"), 5),
    ],
)
def test_an_error_of_ours_is_one_sentence_and_its_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(error) == code
    assert capsys.readouterr().err == f"lyrox: {error}\n"


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (
            PermissionError(13, "Permission denied", "/etc/lyrox"),
            78,
            "/etc/lyrox: Permission denied;",
        ),
        (OSError(30, "Read-only file system", b"/srv/x"), 78, "/srv/x: Read-only file system; "),
        (FileExistsError(17, "File exists", "/srv/x"), 78, "/srv/x: File exists; "),
        (OSError(28, "No space left on device", "/srv/x"), 75, "/srv/x: No space left on device;"),
        (OSError(98, "address already in use"), 75, "address already in use; "),
        (FileNotFoundError(2, "No such file or directory", "/srv/x"), 75, "/srv/x: No such file"),
    ],
)
def test_what_the_system_refuses_is_one_sentence_with_its_place(
    error: OSError, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(error) == code
    said = capsys.readouterr().err
    assert said.startswith(f"lyrox: {told}")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [
        *(ValueError("oops"), OSError("oops"), GiveUp("oops"), CompanyScopeMissing("oops")),
        OSError(9, "Bad file descriptor"),
        ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"),
    ],
)
def test_anything_else_is_a_crash_with_its_trace(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(error) == 70
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert told.splitlines()[-1].startswith("lyrox: crashed")


def test_a_refusal_inside_a_task_group_is_still_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    group = ExceptionGroup("tasks", [ExceptionGroup("inner", [StartupRefused("no prompts")])])

    assert ending(group) == 78
    assert capsys.readouterr().err == "lyrox: no prompts\n"


def test_a_refusal_beside_an_outage_does_not_look_like_something_that_passes() -> None:
    assert ending(ExceptionGroup("tasks", [Unavailable("a"), StartupRefused("b")])) == 78


def test_a_refusal_beside_a_defect_is_a_crash() -> None:
    assert ending(ExceptionGroup("tasks", [StartupRefused("a"), ValueError("b")])) == 70


def test_ctrl_c_ends_without_a_trace(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == ""


def test_a_reader_that_goes_away_early_causes_no_noise() -> None:
    program = (
        "import sys; from bot.cli.exits import guarded;"
        " sys.exit(guarded(lambda: [print('x' * 80) for _ in range(9999)] and 0))"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with writer:
        assert writer.stdout
        assert writer.stderr
        writer.stdout.close()
        noise = writer.stderr.read()

    assert (writer.returncode, noise) == (141, b"")


def test_whatever_is_closed_leads_nowhere_and_no_file_takes_its_place() -> None:
    program = (
        "import os, sys; from bot.cli.exits import guarded;"
        " sys.exit(guarded(lambda: 9 + any([sys.stdin.isatty(), sys.stdin.read(),"
        " sys.stdout.isatty(), sys.stderr.isatty(), os.open(os.devnull, os.O_RDONLY) < 3,"
        " not os.get_inheritable(1)])))"
    )
    words = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", program]

    assert subprocess.run(words, check=False).returncode == 9


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a device that is full")
@pytest.mark.parametrize(("error", "code"), [("StartupRefused('x')", 78), ("ValueError('x')", 70)])
def test_an_error_that_nobody_hears_keeps_its_code(error: str, code: int) -> None:
    program = (
        "import sys; from bot.cli.exits import guarded; from models.errors import StartupRefused;"
        f" sys.exit(guarded(lambda: (_ for _ in ()).throw({error})))"
    )
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-c", program], stderr=full, check=False)

    assert done.returncode == code


def run_into(stdout: IO[bytes] | None, *lines: str) -> tuple[int, str]:
    """The exit code and the complaints of a command that prints to there; None: to nowhere."""
    program = (
        "import sys; from bot.cli.exits import guarded;"
        " sys.exit(guarded(lambda: [print(line) for line in sys.argv[1:]] and 0))"
    )
    words = [sys.executable, "-c", program, *lines]
    if stdout is None:
        words = ["sh", "-c", 'exec "$@" >&-', "sh", *words]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    said = subprocess.run(
        words, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False, env=buffered
    )
    return said.returncode, said.stderr


def test_a_command_without_any_output_is_done_all_the_same() -> None:
    assert run_into(None, "x") == (0, "")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a device that is full")
@pytest.mark.parametrize(("lines", "place"), [(1, "standard output: "), (500, "")])
def test_an_output_that_takes_nothing_is_one_sentence(lines: int, place: str) -> None:
    with Path("/dev/full").open("wb") as full:
        code, told = run_into(full, *["x" * 80] * lines)

    assert (code, told) == (75, f"lyrox: {place}No space left on device; make room\n")


def test_an_output_that_cannot_show_a_letter_gets_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(shown, encoding="latin-1"))

    def command() -> int:
        print("▄ año")
        return 0

    assert guarded(command) == 0
    assert shown.getvalue().decode("latin-1") == "? año\n"
