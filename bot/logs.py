"""Log lines: readable in a terminal, one JSON object each in the journal, never a full phone."""

import json
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import TextIO

OURS = ("bot", "handlers", "models", "__main__")
"""Loggers that follow the configured level; of all others only warnings and errors are told."""

_PRIORITIES = {10: 7, 20: 6, 30: 4, 40: 3, 50: 2}
_OWN_FIELDS = frozenset((*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"))

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_PHONES = re.compile(
    rf"(?P<uuid>\b{_UUID}\b)"
    r"|(?<![0-9A-Za-z])(?:\+[1-9](?:[ ().-]{0,2}\d){6,19}|[1-9]\d{6,19})(?![0-9A-Za-z])"
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_ROW = re.compile(r"\nDETAIL: .*?(?=\nHINT: |\n\n|\Z)", re.DOTALL)
"""PostgreSQL tells the row it refused, and with it what a customer wrote."""

_context: ContextVar[Mapping[str, object]] = ContextVar("log_context", default=MappingProxyType({}))


def configure(level: str = "info", *, stream: TextIO | None = None) -> None:
    """Send every log line to *stream* (standard error), in the form its reader needs.

    Call it first of all: libraries that configure logging at import find it done.
    """
    stream = stream or sys.stderr
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JournalLines() if _is_journal(stream) else TerminalLines())
    handler.addFilter(_worth_telling)
    root = logging.getLogger()
    for former in list(root.handlers):
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())
    logging.captureWarnings(capture=True)


@contextmanager
def log_context(
    *,
    company: object = None,
    chat: object = None,
    wa_id: object = None,
    turn: object = None,
) -> Iterator[None]:
    """Put these on every line logged within, also by tasks that are started within."""
    given = {"company": company, "chat": chat, "wa_id": wa_id, "turn": turn}
    known = {name: value for name, value in given.items() if value is not None}
    token = _context.set({**_context.get(), **known})
    try:
        yield
    finally:
        _context.reset(token)


def shorten(text: str) -> str:
    """*text* with every phone number in it cut to its first and last digits."""
    return _PHONES.sub(_shortened, text)


class JournalLines(logging.Formatter):
    """One line a record: systemd's priority, then JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": shorten(record.getMessage()),
            **_fields(record),
        }
        if error := _error(record):
            line["error"] = _told(traceback.format_exception_only(error))
            line["traceback"] = _told(traceback.format_exception(error))
        priority = _PRIORITIES.get(record.levelno, 6)
        return f"<{priority}>{json.dumps(line, ensure_ascii=False, default=str)}"


class TerminalLines(logging.Formatter):
    """Time, level, message and fields; a traceback follows in lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        message = _visible(shorten(record.getMessage()))
        fields = "".join(f"  {name}={_short(value)}" for name, value in _fields(record).items())
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        line = f"{at} {level}{message}{fields}"
        error = _error(record)
        return f"{line}\n{_told(traceback.format_exception(error))}" if error else line


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """The context and the record's own ``extra``, which has the last word."""
    own = {name: value for name, value in record.__dict__.items() if name not in _OWN_FIELDS}
    return {name: _plain(value) for name, value in {**_context.get(), **own}.items()}


def _plain(value: object) -> object:
    """What JSON knows, with phones shortened; numbers are ours and stay."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    return shorten(str(value))


def _short(value: object) -> str:
    if isinstance(value, list | dict):
        return _visible(json.dumps(value, ensure_ascii=False, default=str))
    text = _visible(str(value))
    return json.dumps(text, ensure_ascii=False) if re.search(r'[\s"=]|^$', text) else text


def _visible(text: str) -> str:
    """No text from outside forges a line or steers the terminal."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _shortened(found: re.Match[str]) -> str:
    if found["uuid"]:
        return found[0]
    digits = re.sub(r"\D", "", found[0])
    head = 4 if len(digits) >= 10 else 2
    return f"{'+' if found[0][0] == '+' else ''}{digits[:head]}…{digits[-2:]}"


def _error(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if record.exc_info else None


def _told(lines: list[str]) -> str:
    return shorten(_ROW.sub("", "".join(lines).strip()))


def _worth_telling(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] in OURS


def _is_journal(stream: TextIO) -> bool:
    """Whether systemd reads *stream* itself: JOURNAL_STREAM names its device and inode."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        there = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(there.st_dev), str(there.st_ino))
