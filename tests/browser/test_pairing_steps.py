"""The pairing page in a real browser: every step, keyboard, small screens, trouble on the way."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from bot.whatsapp.files import CompanyFiles, Pairing
from tests.bot.web.pairing_stage import COMPANY, PHONE, Site, opened
from tests.browser.chromium import Browser, chromium
from tests.browser.screenshots import FAILURES, SCENES, company
from tests.fakes.follower import Stage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

NUMBER, FORMER = f"+{PHONE}", "+5215500000000"
LETTERS = {"code": "7KXM-Q4TR", "phone": PHONE, "expires_in": 150.0}
CONTRAST, NAMELESS, SMALL = (
    Path(__file__).with_name(f"{name}.js").read_text(encoding="utf-8")
    for name in ("contrast", "nameless", "small")
)


def use_up(site: Site) -> None:
    """The link's pairing has succeeded."""
    files = CompanyFiles(site.state_dir, COMPANY)
    files.prepare()
    at = datetime.now(UTC) + timedelta(seconds=1)
    files.write_note(Pairing(f"{PHONE}:1@s.whatsapp.net", "", "android", at))


async def test_the_page_goes_from_step_to_step_by_itself(browser: Browser, site: Site) -> None:
    await browser.open(site.url)
    assert "Preparing the code" in await browser.step("preparing")
    site.stage.follower.scan(expires_in=60)
    assert "This code changes in 60 s" in await browser.step("scan")
    first = await browser.run("return document.querySelector('figure svg').outerHTML")
    site.stage.follower.scan("another", expires_in=20)
    assert "This code changes in 20 s" in await until_text(browser, "changes in 20 s")
    assert first != await browser.run("return document.querySelector('figure svg').outerHTML")
    site.stage.follower.say("linked", phone=NUMBER)
    assert f"Connecting to WhatsApp as {NUMBER}" in await browser.step("linked")
    use_up(site)
    site.stage.connect(NUMBER)
    assert f"Done: connected as {NUMBER}" in await browser.step("connected")

    await asyncio.sleep(3)  # Nothing may come back once it is over.
    assert "Done" in await browser.step("connected")
    assert await browser.complaints() == []


async def until_text(browser: Browser, words: str) -> str:
    async with asyncio.timeout(10):
        while words not in (text := await browser.until("#step")):  # noqa: ASYNC110 - A browser's.
            await asyncio.sleep(0.05)
    return text


async def test_the_seconds_count_down(browser: Browser, site: Site) -> None:
    await browser.open(site.url)
    await browser.step("preparing")
    site.stage.follower.scan(expires_in=30)
    await browser.step("scan")
    await asyncio.sleep(2.5)

    assert int(await browser.until("[data-seconds]")) in {27, 28}


async def test_a_new_code_takes_the_focus_from_nothing_and_a_new_step_is_said(
    browser: Browser, site: Site
) -> None:
    await browser.open(site.url)
    await browser.step("preparing")
    site.stage.follower.scan()
    await browser.step("scan")
    assert await browser.run("return document.activeElement.id") == "step"
    assert await browser.run("return document.getElementById('said').textContent") == (
        "Scan this code with the phone of the business"
    )
    await browser.run("document.querySelector('.other a').focus()")
    site.stage.follower.scan("another", expires_in=20)
    await until_text(browser, "changes in 20 s")

    assert await browser.run("return document.activeElement.textContent") == (
        "Use a code of letters instead"
    )


async def test_letters_are_reached_with_the_keyboard_alone(browser: Browser, site: Site) -> None:
    await browser.open(site.url)
    await browser.step("preparing")
    site.stage.follower.scan()
    await browser.step("scan")
    await browser.press(Keys.TAB)
    ring = await browser.run("return getComputedStyle(document.activeElement).outlineStyle")
    await browser.press(Keys.ENTER)
    await browser.step("number")
    await browser.press(Keys.TAB)
    await browser.press("+52 1 55 1234 5678")
    await browser.press(Keys.ENTER)
    site.stage.follower.say("letters", **LETTERS)
    text = await browser.step("letters")

    assert ring == "solid"
    assert site.stage.follower.letters == [PHONE]
    assert "7KXM-Q4TR" in text
    assert f"the phone {NUMBER}" in text


async def test_what_was_typed_wrong_stays_and_is_explained(browser: Browser, site: Site) -> None:
    await browser.open(f"{site.url}/letters")
    await browser.type("#phone", "0551234567")
    await browser.click("button")

    assert "7 to 15 digits" in await browser.until(".wrong")
    assert await browser.run("return document.getElementById('phone').value") == "0551234567"
    assert await browser.run("return document.getElementById('phone').ariaInvalid") == "true"


@pytest.mark.parametrize(("button", "reason"), [("keep", ""), ("refuse", "another_number")])
async def test_another_number_is_a_question_with_two_answers(
    browser: Browser, site: Site, button: str, reason: str
) -> None:
    await browser.open(site.url)
    await browser.step("preparing")
    site.stage.follower.say("linked", phone=NUMBER, former=FORMER)
    asked = await browser.step("confirm")
    await browser.click(f"form:has([value={button}]) button")

    assert f"You linked {NUMBER}; before it was {FORMER}" in asked
    assert await asyncio.wait_for(site.stage.follower.decided, 10) == reason
    await browser.step("failed" if reason else "linked")


@pytest.mark.parametrize("reason", FAILURES)
async def test_out_of_every_failure_leads_one_button(
    browser: Browser, site: Site, reason: str
) -> None:
    _, act = SCENES[reason]
    await act(site, browser, site.url)
    buttons = await browser.run(
        "return document.querySelectorAll('main button, main .button').length"
    )
    await browser.click("main button, main .button")

    assert buttons == 1
    known = {"no_such_number": "number", "too_many_letters": "scan"}
    await browser.step(known.get(reason, "preparing"))


async def test_a_link_that_ends_while_the_page_is_open_shows_so_by_itself(
    browser: Browser, site: Site
) -> None:
    await browser.open(site.url)
    await browser.step("preparing")
    site.links.revoke(COMPANY)
    site.stage.follower.scan()

    assert "This link does not work" in await browser.step("dead")


async def test_a_name_runs_no_script(browser: Browser, tmp_path: Path) -> None:
    name = "</title><script>window.ours=1</script><img src=x onerror=window.ours=2>&amp;${a}"
    async with opened(tmp_path, Stage(name=name)) as site:
        await browser.open(site.url)
        await browser.step("preparing")
        site.stage.follower.say("failed", reason="number_in_use")
        text = await browser.step("failed")

        assert f"Use the phone of {name}." in text
        assert await browser.run("return window.ours ?? null") is None
        assert await browser.run("return document.querySelectorAll('img').length") == 0
        assert await browser.complaints() == []


async def test_ten_pages_of_one_browser_follow_over_one_line(browser: Browser, site: Site) -> None:
    url = site.url
    await browser.open(url)
    tabs = [await browser.tab(), *[await browser.open_tab(url) for _ in range(9)]]
    site.stage.follower.scan()
    for tab in tabs:
        await browser.go_to_tab(tab)
        await browser.step("scan")
    lines = site.pairings.of(COMPANY).watchers
    site.stage.follower.say("linked", phone=NUMBER)
    site.stage.connect(NUMBER)
    for tab in tabs:
        await browser.go_to_tab(tab)
        assert NUMBER in await browser.step("connected")

    assert len(site.stage.begun) == 1
    assert lines == 1


async def test_the_next_page_follows_when_the_one_that_did_is_closed(
    browser: Browser, site: Site
) -> None:
    url = site.url
    await browser.open_tab(url)
    await browser.step("preparing")
    second = await browser.open_tab(url)
    await browser.close_all_but(second)
    site.stage.follower.scan()

    await browser.step("scan")


async def test_a_page_recovers_when_lyrox_was_started_again(
    browser: Browser, tmp_path: Path
) -> None:
    async with opened(tmp_path) as site:
        await browser.open(site.url)
        await browser.step("preparing")
        site.stage.follower.scan()
        await browser.step("scan")
    assert "recovers by itself" in await browser.until("#lost")
    await asyncio.sleep(3)

    async with opened(tmp_path, listen=site.address) as again:
        await browser.step("preparing", seconds=20)
        again.stage.follower.scan("another")
        await browser.step("scan")
        assert await browser.run("return document.getElementById('lost').hidden") is True


@pytest.fixture
async def without_scripts() -> AsyncIterator[Browser]:
    """A browser that runs none."""
    async with chromium(language="en", scripts=False) as browser:
        yield browser


async def test_without_scripts_the_page_is_buttons_and_looks_again_by_itself(
    without_scripts: Browser, site: Site
) -> None:
    browser = without_scripts
    await browser.open(site.url)
    assert "Link the WhatsApp of" in await browser.step("start")
    await browser.click("button")
    await browser.step("preparing")
    site.stage.follower.scan()
    assert "Scan this code" in await browser.step("scan")
    site.stage.follower.say("linked", phone=NUMBER)
    site.stage.connect(NUMBER)
    assert f"connected as {NUMBER}" in await browser.step("connected")


@pytest.mark.parametrize("scene", [name for name in SCENES if name not in {"start", "start_again"}])
async def test_every_step_is_readable_and_can_be_touched_on_a_small_phone(
    phone: Browser, scene: str
) -> None:
    await phone.resize((320, 640))
    state, act = SCENES[scene]
    async with company("Panadería y Pastelería La Espiga de Oro de San Miguel", state) as site:
        await act(site, phone, site.url)
        wide = await phone.run("return document.documentElement.scrollWidth")
        found = [await phone.run(script) for script in (CONTRAST, NAMELESS, SMALL)]
        heads = await phone.run("return document.querySelectorAll('h1').length")
        language = await phone.run("return document.documentElement.lang")
        complaints = await phone.complaints()

    assert wide <= 320
    assert found == [[], [], 0]
    assert (heads, language) == (1, "en")
    assert [line for line in complaints if "Failed to load" not in line] == []
