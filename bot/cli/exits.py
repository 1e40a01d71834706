"""The one place where an error becomes an exit code and a sentence for a person."""

import errno
import os
import ssl
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import IntEnum
from io import TextIOWrapper
from typing import TypeGuard

from models.errors import BadInput, LyroxError, RetryLater, StartAgain, StartupRefused, Unavailable


class Exit(IntEnum):
    """Every exit code of ours that means more than done."""

    DONE = 0
    FAILED = 1
    BAD_ARGUMENTS = 2
    NOT_READY = 3
    NO_ANSWER = 4
    START_AGAIN = 5
    CRASH = 70
    UNAVAILABLE = 75
    CONFIGURATION = 78
    INTERRUPTED = 130
    BROKEN_PIPE = 141


_CODES: tuple[tuple[type[LyroxError], Exit], ...] = (
    (BadInput, Exit.BAD_ARGUMENTS),
    (Unavailable, Exit.UNAVAILABLE),
    (RetryLater, Exit.UNAVAILABLE),
    (StartupRefused, Exit.CONFIGURATION),
    (StartAgain, Exit.START_AGAIN),
)

_REMEDIES = {
    errno.EACCES: "run as the user who owns it, or give this user access",
    errno.EPERM: "run as the user who owns it, or give this user access",
    errno.EROFS: "make it writable, or configure another folder",
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EMFILE: "raise the limit of open files",
    errno.EADDRINUSE: "end who uses it, or configure another port",
}
_LASTING = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}
"""What the system refuses now and will refuse again."""


def guarded(command: Callable[[], int]) -> int:
    """Run *command*; its exit code, or that of the error it ended with."""
    _open_closed()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # What it cannot show must not end a command.
    try:
        code = command()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        _silence()
        return Exit.BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - The process is among those that may.
        return _told(_placed(error))
    return code


def _open_closed() -> None:
    """Lead what was closed before we began nowhere: the next file would take its place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(nowhere, True)
            setattr(sys, name, os.fdopen(nowhere, mode, encoding="utf-8"))


def _silence() -> None:
    # Nobody takes our output; Python would complain once more while it ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _placed(error: Exception) -> Exception:
    """*error*, or that of our output where it takes nothing; a full disk does not say where."""
    try:
        sys.stdout.flush()
    except OSError as stuck:
        _silence()
        if isinstance(error, OSError) and error.filename is None:
            stuck.filename = "standard output"
            return stuck
    return error


def _told(error: Exception) -> Exit:
    leaves = list(_leaves(error))
    codes = [_code(leaf) for leaf in leaves]
    if Exit.CRASH in codes:
        with suppress(OSError):
            traceback.print_exception(error)
        _say("lyrox: crashed; this is a defect, the lines above say where")
        return Exit.CRASH
    # A configuration that is wrong stays wrong: it must not look like something that passes.
    worst = max(codes)
    _say(f"lyrox: {sentence(leaves[codes.index(worst)])}")
    return worst


def _say(text: str) -> None:
    with suppress(OSError):  # The code tells what nobody can hear.
        print(text, file=sys.stderr)


def sentence(error: BaseException) -> str:
    """What *error* tells a person; of the system's, where it was and what to do."""
    if not _is_refusal(error):
        return str(error)
    place = error.filename
    where = f"{os.fsdecode(place)}: " if isinstance(place, str | bytes) else ""
    remedy = _REMEDIES.get(error.errno or 0, "correct that and try again")
    return f"{where}{error.strerror}; {remedy}"


def _code(error: BaseException) -> Exit:
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    if _is_refusal(error):
        return Exit.CONFIGURATION if error.errno in _LASTING else Exit.UNAVAILABLE
    return Exit.CRASH


def _is_refusal(error: BaseException) -> TypeGuard[OSError]:
    """Whether the system refused something; TLS has numbers of its own."""
    if not isinstance(error, OSError) or isinstance(error, ssl.SSLError):
        return False
    used_after_its_end = error.errno == errno.EBADF and error.filename is None
    return error.errno is not None and not used_after_its_end


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
