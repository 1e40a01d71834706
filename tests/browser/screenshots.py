"""Pictures of every step of the pairing page: ``python -m tests.browser.screenshots FOLDER``.

A phone sees it in Spanish, a desk in English. Each picture is of the real page in the real browser;
what happens on it is said by a test's company instead of WhatsApp.
"""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.whatsapp.states import Reason, State
from tests.bot.web.pairing_stage import Site, opened
from tests.browser.chromium import DESK, PHONE, Browser, chromium
from tests.fakes.follower import Stage

NUMBER, FORMER, DIGITS = "+5215512345678", "+5215500000000", "5215512345678"
CODE = (
    "https://wa.me/settings/linked_devices#2@b6021dcd3359cf38054d31a7,qb9qjN1/d5slPvdqNgHzAbZmrAizb"
    "XyhrCzUSTNraQo=,aDi3UDF9nn1A/aAGPYcj5Gv8eyHrnnnK73NECV/xvj8=,rsvkMX2YqVzbHMoeawce5flwd2WE840=,1"
)
FAILURES = (
    *("expired", "refused", "passkey_asked", "client_outdated", "unreachable", "busy"),
    *("number_in_use", "another_number", "too_many_letters", "no_such_number", "fault"),
)

Act = Callable[[Site, Browser, str], Awaitable[None]]


@asynccontextmanager
async def company(name: str, state: Reason = Reason.NEVER_PAIRED) -> AsyncIterator[Site]:
    """A page of its own."""
    until = datetime(2026, 12, 24, 18, tzinfo=UTC) if state is Reason.BANNED_UNTIL else None
    stage = Stage(name=name, state=State(state, until=until), phone=NUMBER)
    with TemporaryDirectory(prefix="lyrox-") as folder:
        async with opened(Path(folder), stage) as site:
            yield site


async def start(site: Site, browser: Browser, url: str) -> None:
    """Before anything happens, as without JavaScript."""
    site.stage.served = False
    await browser.open(url)
    await browser.step("stopped")
    site.stage.served = True


async def follow(site: Site, browser: Browser, url: str) -> None:
    """The page is open, and a pairing has begun for it."""
    await browser.open(url)
    await browser.step("preparing")


async def scan(site: Site, browser: Browser, url: str) -> None:
    """A code to scan."""
    await follow(site, browser, url)
    site.stage.follower.scan(CODE)
    await browser.step("scan")
    await browser.until("figure svg")


async def number(site: Site, browser: Browser, url: str) -> None:
    """The form for the number."""
    await scan(site, browser, url)
    await browser.open(f"{url}/letters")
    await browser.step("number")


async def wrong_number(site: Site, browser: Browser, url: str) -> None:
    """What was typed will not do."""
    await number(site, browser, url)
    await browser.type("#phone", "0551234567")
    await browser.click("button")
    await browser.until(".wrong")


async def asked(site: Site, browser: Browser, url: str) -> None:
    """Letters have been asked for."""
    await number(site, browser, url)
    await browser.type("#phone", "+52 1 55 1234 5678")
    await browser.click("button")
    await browser.step("preparing")


async def letters(site: Site, browser: Browser, url: str) -> None:
    """Eight letters."""
    await asked(site, browser, url)
    site.stage.follower.say("letters", code="7KXM-Q4TR", phone=DIGITS, expires_in=154.0)
    await browser.step("letters")


async def confirm(site: Site, browser: Browser, url: str) -> None:
    """The number is another one."""
    await scan(site, browser, url)
    site.stage.follower.say("linked", phone=NUMBER, former=FORMER)
    await browser.step("confirm")


async def linked(site: Site, browser: Browser, url: str) -> None:
    """A phone is linked."""
    await scan(site, browser, url)
    site.stage.follower.say("linked", phone=NUMBER)
    await browser.step("linked")


async def connected(site: Site, browser: Browser, url: str) -> None:
    """It is connected."""
    await linked(site, browser, url)
    site.stage.connect(NUMBER)
    await browser.step("connected")


async def show(site: Site, browser: Browser, url: str) -> None:
    """Where the company stands."""
    await browser.open(url)
    await browser.until("h1")


def failure(reason: str) -> Act:
    """Why it did not work."""

    async def fail(site: Site, browser: Browser, url: str) -> None:
        if reason in {"too_many_letters", "no_such_number"}:
            await asked(site, browser, url)
            site.stage.follower.say("letters_refused", phone=DIGITS, reason=reason)
        else:
            await scan(site, browser, url)
            site.stage.follower.say("failed", reason=reason)
        await browser.step("failed")

    return fail


async def lost(site: Site, browser: Browser, url: str) -> None:
    """The line to LYROX is cut."""
    await scan(site, browser, url)
    await browser.run("document.getElementById('lost').hidden = false")


async def dead(site: Site, browser: Browser, url: str) -> None:
    """A link that does not work."""
    await browser.open(site.at("A" * 74))
    await browser.until("h1")


SCENES: dict[str, tuple[Reason, Act]] = {
    "start": (Reason.NEVER_PAIRED, show),
    "start_again": (Reason.LOGGED_OUT, show),
    "preparing": (Reason.NEVER_PAIRED, follow),
    "scan": (Reason.NEVER_PAIRED, scan),
    "number": (Reason.NEVER_PAIRED, number),
    "wrong_number": (Reason.NEVER_PAIRED, wrong_number),
    "letters": (Reason.NEVER_PAIRED, letters),
    "confirm": (Reason.LOGGED_OUT, confirm),
    "linked": (Reason.NEVER_PAIRED, linked),
    "connected": (Reason.NEVER_PAIRED, connected),
    "waiting": (Reason.BANNED_UNTIL, show),
    "stopped": (Reason.NEVER_PAIRED, start),
    "lost": (Reason.NEVER_PAIRED, lost),
    "dead": (Reason.NEVER_PAIRED, dead),
    **{reason: (Reason.NEVER_PAIRED, failure(reason)) for reason in FAILURES},
}
QUIET = {"start", "start_again"}
"""With JavaScript these last only for a moment."""


def smaller(picture: bytes) -> bytes:
    """The same with few colours, where Debian's pngquant is installed."""
    program = shutil.which("pngquant")
    if program is None:
        return picture
    words = [program, "64", "--strip", "-"]
    return subprocess.run(words, input=picture, stdout=subprocess.PIPE, check=True).stdout


async def main(folder: Path) -> None:
    """Take all pictures."""
    for device, size, language, name in (
        ("phone", PHONE, "es", "Panadería La Espiga"),
        ("desk", DESK, "en", "Blue Door Bakery"),
    ):
        for scripts in (True, False):
            async with chromium(language=language, scripts=scripts) as browser:
                await browser.resize(size)
                for scene, (state, act) in SCENES.items():
                    if (scene in QUIET) == scripts:
                        continue
                    async with company(name, state) as site:
                        await act(site, browser, site.url)
                        picture = await asyncio.to_thread(smaller, await browser.picture())
                        (folder / f"{scene}-{device}.png").write_bytes(picture)
                        print(f"{scene}-{device}", flush=True)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(target))
