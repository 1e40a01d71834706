"""The mark ``whatsapp``: skipped where the real client has no server to meet, unless it must run.

With LYROX_REQUIRE_WHATSAPP=1 a skipped test of this mark is a failure. The summary says how many
ran. Everything a report says here travels with it, so that it holds with several workers too.
"""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.whatsapp_server.library import client_library

MARK = "whatsapp"
REQUIRED = "LYROX_REQUIRE_WHATSAPP"
REASON = "the real client is tested on Linux x86-64 with neonize installed"

_MARKED, _SKIPPED = ("mark", MARK), ("skipped", MARK)


def mark(items: list[pytest.Item], library: Path | None) -> None:
    """Tell the tests of the mark apart in reports, and skip them where there is no *library*."""
    for item in items:
        if item.get_closest_marker(MARK) is not None:
            item.user_properties.append(_MARKED)
            if library is None:
                item.add_marker(pytest.mark.skip(reason=REASON))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before any of them is set up."""
    mark(items, client_library())


@pytest.hookimpl(wrapper=True, specname="pytest_runtest_makereport")
def pytest_required_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skip is a failure where the tests must run."""
    report = yield
    if report.skipped and _has(report, _MARKED) and os.environ.get(REQUIRED) == "1":
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{REQUIRED}=1, but this test was skipped. {why}"
        report.user_properties = [*report.user_properties, _SKIPPED]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many ran, and how long they took on their workers together."""
    reports = [
        report
        for outcome in ("passed", "failed", "error", "skipped", "")
        for report in terminalreporter.stats.get(outcome, ())
        if isinstance(report, pytest.TestReport) and _has(report, _MARKED)
    ]
    if reports:
        skipped = {one.nodeid for one in reports if one.skipped or _has(one, _SKIPPED)}
        ran = {one.nodeid for one in reports if one.when == "call"} - skipped
        seconds = sum(report.duration for report in reports)
        terminalreporter.write_line(
            f"{MARK}: {len(ran)} tests ran, {len(skipped)} were skipped, {seconds:.0f} s in all"
        )


def _has(report: pytest.TestReport, word: tuple[str, str]) -> bool:
    return word in map(tuple, report.user_properties)
