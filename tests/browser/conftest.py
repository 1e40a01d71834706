"""One browser a language for all tests, and a page whose company a test directs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.web.pairing_stage import Site, opened
from tests.browser.chromium import DESK, PHONE, Browser, chromium


@pytest.fixture(scope="session")
async def english() -> AsyncIterator[Browser]:
    """A browser whose owner reads English."""
    async with chromium(language="en") as browser:
        yield browser


@pytest.fixture
async def browser(english: Browser) -> Browser:
    """The browser with one empty tab, as large as a desk's."""
    await english.close_others()
    await english.open("about:blank")
    await english.complaints()
    await english.resize(DESK)
    return english


@pytest.fixture
async def phone(browser: Browser) -> Browser:
    """The same, as small as a phone's."""
    await browser.resize(PHONE)
    return browser


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A page of its own."""
    async with opened(tmp_path) as made:
        yield made
