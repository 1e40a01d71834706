"""Debian's Chromium, driven through its own driver; nothing is downloaded, nothing leaves."""

import asyncio
import base64
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

Told = TypeVar("Told")
PHONE, DESK = (390, 844), (1280, 900)
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb"),
)
_NO_SCRIPTS = 2


class Browser:
    """One browser with a profile of its own; each call runs beside the event loop."""

    def __init__(self, driver: Chrome) -> None:
        self._driver = driver

    async def open(self, url: str) -> None:
        """Go there."""
        await self._do(lambda: self._driver.get(url))

    async def open_tab(self, url: str) -> str:
        """Go there in one more tab; its name."""
        await self._do(lambda: self._driver.switch_to.new_window("tab"))
        await self.open(url)
        return await self.tab()

    async def go_to_tab(self, name: str) -> None:
        """Look at that tab."""
        await self._do(lambda: self._driver.switch_to.window(name))

    async def close_others(self) -> None:
        """Keep the first tab."""
        await self.close_all_but(await self._do(lambda: str(self._driver.window_handles[0])))

    async def close_all_but(self, tab: str) -> None:
        """Keep that tab, and look at it."""

        def close() -> None:
            for name in self._driver.window_handles:
                if name != tab:
                    self._driver.switch_to.window(name)
                    self._driver.close()
            self._driver.switch_to.window(tab)

        await self._do(close)

    async def tab(self) -> str:
        """The name of the tab that is looked at."""
        return await self._do(lambda: str(self._driver.current_window_handle))

    async def step(self, name: str, *, seconds: float = 15.0) -> str:
        """Wait for a step of the pairing; its text."""

        def shown(driver: Chrome) -> str | None:
            main = driver.find_element(By.ID, "step")
            key = main.get_attribute("data-key") or ""
            return str(main.text) if name in (key, key.partition("-")[0]) else None

        return await self._wait(shown, f"step {name}", seconds)

    async def until(self, css: str, *, seconds: float = 15.0) -> str:
        """Wait until it is to be seen; its text."""

        def visible(driver: Chrome) -> str | None:
            found = [
                one for one in driver.find_elements(By.CSS_SELECTOR, css) if one.is_displayed()
            ]
            return str(found[0].text) or " " if found else None

        return await self._wait(visible, css, seconds)

    async def until_drawn(self, squares: str, *, seconds: float = 15.0) -> None:
        """Wait until the page shows a QR code of these squares."""

        def drawn(driver: Chrome) -> bool | None:
            paths = driver.find_elements(By.CSS_SELECTOR, "figure path[stroke]")
            return any(path.get_attribute("d") == squares for path in paths) or None

        await self._wait(drawn, "the code", seconds)

    async def click(self, css: str) -> None:
        """Press it, as a finger would."""
        await self.until(css)
        await self._do(lambda: self._one(css).click())

    async def type(self, css: str, text: str) -> None:
        """Type into a field."""
        await self.until(css)
        await self._do(lambda: self._one(css).send_keys(text))

    async def press(self, keys: str) -> None:
        """Press keys wherever the focus is."""
        await self._do(lambda: self._driver.switch_to.active_element.send_keys(keys))

    async def run(self, script: str) -> Any:
        """What a script of the test's returns."""
        return await self._do(lambda: self._driver.execute_script(script))

    async def complaints(self) -> list[str]:
        """What the browser refused or could not do, said since the last time."""
        logs = await self._do(lambda: self._driver.get_log("browser"))  # type: ignore[no-untyped-call]
        return [str(line["message"]) for line in logs if line["level"] in {"SEVERE", "WARNING"}]

    async def resize(self, size: tuple[int, int]) -> None:
        """As large as a phone's or a desk's screen, whatever the window is."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        await self._do(
            lambda: self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        )

    async def picture(self) -> bytes:
        """The page as PNG, all of it that is as wide as the screen."""
        asked = {"format": "png", "captureBeyondViewport": True}
        answer = await self._do(
            lambda: self._driver.execute_cdp_cmd("Page.captureScreenshot", asked)
        )
        return base64.b64decode(answer["data"])

    def _one(self, css: str) -> WebElement:
        return self._driver.find_element(By.CSS_SELECTOR, css)

    async def _wait(
        self, claim: Callable[[Chrome], Told | None], what: str, seconds: float
    ) -> Told:
        def wait() -> Told:
            waiting = WebDriverWait(
                self._driver,
                seconds,
                poll_frequency=0.05,
                ignored_exceptions=[StaleElementReferenceException],
            )
            try:
                found = waiting.until(claim)
            except TimeoutException:
                shown = self._driver.find_element(By.TAG_NAME, "body").text
                raise AssertionError(f"{what} never came; there was:\n{shown}") from None
            assert found is not None
            return found

        return await self._do(wait)

    async def _do(self, work: Callable[[], Told]) -> Told:
        return await asyncio.to_thread(work)


def programs() -> tuple[str, str] | None:
    """Chromium and its driver, where this machine has them."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


@asynccontextmanager
async def chromium(*, language: str = "es", scripts: bool = True) -> AsyncIterator[Browser]:
    """A fresh browser; skips where this machine has none."""
    found = programs()
    if found is None:
        pytest.skip("no Chromium here: apt-get install chromium chromium-driver")
    with tempfile.TemporaryDirectory(
        prefix="lyrox-chromium-", ignore_cleanup_errors=True
    ) as folder:
        options = ChromeOptions()
        options.binary_location = found[0]
        for flag in (*_FLAGS, f"--user-data-dir={folder}", f"--lang={language}"):
            options.add_argument(flag)
        preferences: dict[str, object] = {"intl.accept_languages": language}
        if not scripts:
            preferences["profile.managed_default_content_settings.javascript"] = _NO_SCRIPTS
        options.add_experimental_option("prefs", preferences)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = await asyncio.to_thread(Chrome, options, Service(found[1]))
        try:
            yield Browser(driver)
        finally:
            await asyncio.to_thread(driver.quit)
