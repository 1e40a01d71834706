"""The pairing page over real HTTP: who gets in, what is shown, and what nobody may do."""

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, ClientTimeout, TCPConnector

from bot.web.document import POLICY
from bot.whatsapp.files import CompanyFiles, Pairing
from bot.whatsapp.states import Reason, State
from tests.bot.web.pairing_stage import COMPANY, PHONE, Site, opened
from tests.fakes.follower import Stage

NUMBER, FORMER = f"+{PHONE}", "+5215500000000"


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    connector = TCPConnector(limit=0, force_close=True)
    async with ClientSession(connector=connector, timeout=ClientTimeout(total=15)) as session:
        yield session


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with opened(tmp_path) as made:
        yield made


async def got(client: ClientSession, url: str, **headers: str) -> tuple[int, str]:
    async with client.get(url, headers=headers) as answer:
        return answer.status, await answer.text()


async def did(client: ClientSession, url: str, **fields: str) -> ClientResponse:
    async with client.post(url, data=fields, allow_redirects=False) as answer:
        await answer.read()
        return answer


async def steps(client: ClientSession, url: str) -> AsyncGenerator[dict[str, Any], None]:
    """What a browser that follows is told."""
    async with client.get(f"{url}/events", headers={"Accept-Language": "en"}) as answer:
        assert answer.status == 200
        async for line in answer.content:
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))


async def until(events: AsyncGenerator[dict[str, Any], None], key: str) -> dict[str, Any]:
    async for event in events:
        if event["key"] == key:
            return event
    raise AssertionError(f"the stream ended before {key}")


def used(site: Site) -> None:
    files = CompanyFiles(site.state_dir, COMPANY)
    files.prepare()
    at = datetime.now(UTC) + timedelta(seconds=1)
    files.write_note(Pairing(f"{PHONE}:1@s.whatsapp.net", "", "android", at))


async def test_a_link_opens_the_page_of_its_company(client: ClientSession, site: Site) -> None:
    status, text = await got(client, site.url)

    assert status == 200
    assert "Vincula el WhatsApp de Panadería La Espiga" in text
    assert "Vence en 30 min." in text


async def test_everything_but_a_link_that_counts_is_one_plain_page(
    client: ClientSession, site: Site
) -> None:
    expired, revoked, spent = (site.links.issue(COMPANY)[0] for _ in range(3))
    site.clock.ahead = timedelta(minutes=31)
    answers = {"expired": await got(client, site.at(expired))}
    site.clock.ahead = timedelta()
    site.links.revoke(COMPANY)
    answers["revoked"] = await got(client, site.at(revoked))
    fresh = site.links.issue(COMPANY)[0]
    used(site)
    answers["used"] = await got(client, site.at(fresh))
    answers["forged"] = await got(client, site.at("A" * len(spent)))
    answers["no token"] = await got(client, site.at("x"))
    answers["elsewhere"] = await got(client, f"http://{site.address}/metrics")
    answers["root"] = await got(client, f"http://{site.address}/")

    assert len({text for _, text in answers.values()}) == 1
    assert {name: status for name, (status, _) in answers.items()} == {
        **dict.fromkeys(("expired", "revoked", "used"), 410),
        **dict.fromkeys(("forged", "no token", "elsewhere", "root"), 404),
    }
    assert site.refused == ["expired", "revoked", "used", "forged", "forged"]


@pytest.mark.parametrize("part", ["", "/letters", "/events"])
async def test_nothing_is_reachable_without_a_link(
    client: ClientSession, site: Site, part: str
) -> None:
    dead = site.at("A" * 74) + part

    assert (await got(client, dead))[0] == 404
    assert (await did(client, dead, do="begin", phone=PHONE)).status == 404
    assert site.stage.begun == []


async def test_every_answer_is_sealed(client: ClientSession, site: Site) -> None:
    url = site.url
    answers = [await client.get(place) for place in (url, f"{url}/letters", site.at("x"))]
    answers += [await client.get(f"{url}/events"), await client.put(url, data=b"x" * 4096)]
    answers += [await did(client, url, do="begin")]
    for answer in answers:
        headers = answer.headers
        assert headers["Content-Security-Policy"] == POLICY
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "Server" not in headers
        answer.close()


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    rules = dict(rule.split(" ", 1) for rule in POLICY.split("; "))

    assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
    assert rules["connect-src"] == rules["form-action"] == "'self'"
    assert all(rules[name].startswith("'sha256-") for name in ("script-src", "style-src"))
    assert "unsafe" not in POLICY
    assert "http" not in POLICY


class References(HTMLParser):
    """Everything in a page that leads somewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"src", "href", "action", "srcset", "data-events"}:
                self.found.append(value or "")
            if name == "style" or name.startswith("on"):
                self.inline.append(f"{tag} {name}")


async def test_a_page_needs_nothing_from_anywhere(client: ClientSession, site: Site) -> None:
    url = site.url
    token = url.rpartition("/")[2]
    for place in (url, f"{url}/letters", site.at("x")):
        references = References((await got(client, place))[1])
        assert set(references.found) <= {"data:,", f"{token}/events", f"../{token}", ""}
        assert references.inline == []


@pytest.mark.parametrize(
    ("accepts", "language"),
    [
        ("", "es"),
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("en-US,en;q=0.9", "en"),
        ("fr,en;q=0.3,es;q=0.2", "en"),
        ("de", "es"),
        ("en;q=nonsense,es;q=0.1", "es"),
        ("*", "es"),
    ],
)
async def test_the_browsers_language_decides(
    client: ClientSession, site: Site, accepts: str, language: str
) -> None:
    _, text = await got(client, site.url, **{"Accept-Language": accepts})

    assert f'<html lang="{language}">' in text


async def test_a_name_cannot_become_markup(client: ClientSession, tmp_path: Path) -> None:
    name = """</title><script>alert(1)</script><img src=x onerror="alert('2')">${x}&"""
    async with opened(tmp_path, Stage(name=name)) as site:
        url = site.url
        _, text = await got(client, url)
        async with aclosing(steps(client, url)) as events:
            await anext(events)
            site.stage.follower.say("failed", reason="number_in_use")
            html = (await until(events, "failed-number_in_use"))["html"]

    for shown in (text, html):
        assert "<script>alert" not in shown
        assert "<img" not in shown
        assert "&lt;img src=x onerror=&quot;alert(&#x27;2&#x27;)&quot;&gt;${x}&amp;" in shown


async def test_a_browser_that_follows_sees_every_step_to_the_end(
    client: ClientSession, site: Site
) -> None:
    url = site.url
    async with aclosing(steps(client, url)) as events:
        first = await anext(events)
        assert first["key"] in {"start-start", "preparing-preparing"}
        site.stage.follower.scan()
        scan = await until(events, "scan-scan")
        site.stage.follower.scan("another", expires_in=20)
        rotated = await until(events, "scan-scan")
        site.stage.follower.say("linked", phone=NUMBER)
        linked = await until(events, "linked-linked")
        used(site)
        site.stage.connect(NUMBER)
        connected = await until(events, "connected-connected")
        rest = [event async for event in events]

    assert "<svg" in scan["html"]
    assert 'data-seconds="60"' in scan["html"]
    assert scan["html"] != rotated["html"]
    assert 'data-seconds="20"' in rotated["html"]
    assert NUMBER in linked["html"]
    assert connected["said"] == f"Done: connected as {NUMBER}"
    assert [scan["over"], connected["over"]] == [False, True]
    assert rest == []
    assert (await got(client, url))[0] == 410


async def test_without_javascript_each_step_is_a_page_and_each_button_a_form(
    client: ClientSession, site: Site
) -> None:
    url = site.url
    _, start = await got(client, url)
    begun = await did(client, url, do="begin")
    _, preparing = await got(client, url)
    site.stage.follower.scan()
    await asyncio.sleep(0.05)
    _, scan = await got(client, url)

    assert '<form method="post">' in start
    assert site.stage.begun != []
    assert begun.status == 303
    assert begun.headers["Location"] == url.rpartition("/")[2]
    assert "Preparando" in preparing
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in scan
    assert "<svg" in scan


async def test_only_looking_at_the_page_begins_nothing(client: ClientSession, site: Site) -> None:
    url = site.url
    await got(client, url)
    async with client.head(url) as answer:
        assert answer.status == 200

    assert site.stage.begun == []


@pytest.mark.parametrize(
    "written", ["+52 1 55 1234-5678", "5215512345678", "00 5215512345678", "+52.1(55)1234/5678"]
)
async def test_a_number_is_understood_as_people_write_it(
    client: ClientSession, site: Site, written: str
) -> None:
    url = site.url
    asked = await did(client, f"{url}/letters", phone=written)
    site.stage.follower.say("letters", code="ABCD-EFGH", phone=PHONE, expires_in=150.0)
    await asyncio.sleep(0.05)
    _, text = await got(client, url)

    assert (asked.status, asked.headers["Location"]) == (303, f"../{url.rpartition('/')[2]}")
    assert site.stage.follower.letters == [PHONE]
    assert "ABCD-EFGH" in text


@pytest.mark.parametrize(
    "written", ["", "hola", "12345", "0551234567", "1" * 16, "<b>5215512345678"]
)
async def test_what_is_no_number_is_said_beside_the_field(
    client: ClientSession, site: Site, written: str
) -> None:
    url = site.url
    async with client.post(f"{url}/letters", data={"phone": written}) as answer:
        status, text = answer.status, await answer.text()

    assert status == 400
    assert 'aria-invalid="true"' in text
    assert "entre 7 y 15 cifras" in text
    assert "<b>" not in text
    assert site.stage.begun == []


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"phone=\xff"),
        ("application/x-www-form-urlencoded; charset=nonsense", b"phone=1"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\nno header\r\n\r\nx\r\n--b--\r\n"),
        ("application/json", b"{"),
    ],
)
async def test_a_body_that_is_no_form_is_no_number_and_no_fault(
    client: ClientSession,
    site: Site,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    body: bytes,
    language: str,
) -> None:
    headers = {"Content-Type": kind, "Accept-Language": language}
    async with client.post(f"{site.url}/letters", data=body, headers=headers) as answer:
        status, text = answer.status, await answer.text()
    async with client.post(site.url, data=body, headers=headers, allow_redirects=False) as other:
        assert other.status == 303

    assert status == 400
    assert 'aria-invalid="true"' in text
    assert f'<html lang="{language}">' in text
    assert (site.stage.begun, caplog.records) == ([], [])


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_nothing_is_unpacked(
    client: ClientSession, site: Site, caplog: pytest.LogCaptureFixture, coding: str
) -> None:
    headers = {"Content-Encoding": coding, "Content-Type": "application/x-www-form-urlencoded"}
    async with client.post(f"{site.url}/letters", data=b"no", headers=headers) as answer:
        assert answer.status == 400

    assert caplog.records == []


@pytest.mark.parametrize(
    ("begin", "rest"),
    [
        (b"Content-Length: 50\r\n\r\ndo=be", b""),
        (b"Transfer-Encoding: chunked\r\n\r\n5\r\ndo=be\r\n", b"nonsense\r\n"),
    ],
)
async def test_a_body_that_breaks_off_is_no_fault_of_ours(
    client: ClientSession, site: Site, caplog: pytest.LogCaptureFixture, begin: bytes, rest: bytes
) -> None:
    url = site.url
    host, _, port = site.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {url.partition(site.address)[2]} HTTP/1.1\r\nHost: x\r\n".encode())
    writer.write(b"Content-Type: application/x-www-form-urlencoded\r\n" + begin)
    await got(client, url)  # Until then it has been read.
    writer.write(rest)
    writer.write_eof()
    await asyncio.wait_for(reader.read(), 5)
    writer.close()

    assert (await got(client, url))[0] == 200
    assert site.stage.begun == []
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_try_with_letters_is_repeated_with_the_same_number(
    client: ClientSession, site: Site
) -> None:
    url = site.url
    await did(client, f"{url}/letters", phone=PHONE)
    site.stage.follower.say("failed", reason="expired")
    await asyncio.sleep(0.05)
    _, text = await got(client, url)
    fields = dict(re.findall(r'name="(\w+)" value="(\w+)"', text))
    await did(client, url, **fields)

    assert fields == {"do": "begin", "letters": PHONE}
    assert [follower.letters for follower in site.stage.begun] == [[PHONE], [PHONE]]


@pytest.mark.parametrize(("do", "reason"), [("keep", ""), ("refuse", "another_number")])
async def test_another_number_is_confirmed_or_unlinked(
    client: ClientSession, site: Site, do: str, reason: str
) -> None:
    url = site.url
    await did(client, url, do="begin")
    site.stage.follower.say("linked", phone=NUMBER, former=FORMER)
    await asyncio.sleep(0.05)
    _, text = await got(client, url)
    await did(client, url, do=do)

    assert NUMBER in text
    assert FORMER in text
    assert await asyncio.wait_for(site.stage.follower.decided, 50) == reason


async def test_a_wish_that_nobody_knows_changes_nothing(client: ClientSession, site: Site) -> None:
    for fields in ({}, {"do": "format"}, {"do": "keep"}, {"letters": PHONE}):
        assert (await did(client, site.url, **fields)).status == 303

    assert site.stage.begun == []


async def test_cookies_that_a_shop_keeps_on_the_same_host_are_in_nobodys_way(
    client: ClientSession, site: Site
) -> None:
    cookie = "; ".join(f"shop{number}={'x' * 4000}" for number in range(4))

    assert (await got(client, site.url, Cookie=cookie[:16_000]))[0] == 200


async def test_a_large_body_is_turned_away(client: ClientSession, site: Site) -> None:
    assert (await did(client, site.url, do="begin", junk="x" * 4096)).status == 413
    assert site.stage.begun == []


async def test_a_thousand_wrong_links_do_not_slow_the_page_or_lock_its_owner_out(
    client: ClientSession, site: Site
) -> None:
    url = site.url
    await got(client, url)
    before = await quickest(client, url)

    answers = await asyncio.gather(
        *(got(client, site.at(f"{number:074}")) for number in range(1000))
    )
    after = await quickest(client, url)

    assert {status for status, _ in answers} == {404, 429}
    assert len({text for status, text in answers if status == 404}) == 1
    assert after < 5 * before + 0.05
    assert (await got(client, url))[0] == 200


async def quickest(client: ClientSession, url: str) -> float:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        await got(client, url)
        times.append(time.perf_counter() - began)
    return min(times)


async def test_one_who_asks_all_the_time_waits_and_others_do_not(
    client: ClientSession, site: Site
) -> None:
    url = site.url
    busy, other = {"X-Forwarded-For": "203.0.113.7"}, {"X-Forwarded-For": "203.0.113.8"}

    answers = [await got(client, url, **busy) for _ in range(160)]
    async with client.get(url, headers=busy) as answer:
        wait = answer.headers.get("Retry-After")

    assert [status for status, _ in answers[:120]] == [200] * 120
    assert answers[-1][0] == 429
    assert "Demasiadas visitas" in answers[-1][1]
    assert int(wait or 0) >= 1
    assert (await got(client, url, **other))[0] == 200


async def test_ten_pages_at_once_are_one_pairing(client: ClientSession, site: Site) -> None:
    url = site.url
    streams = [steps(client, url) for _ in range(10)]
    firsts = await asyncio.gather(*(anext(stream) for stream in streams))
    site.stage.follower.scan()
    scans = await asyncio.gather(*(until(stream, "scan-scan") for stream in streams))
    site.stage.follower.say("linked", phone=NUMBER)
    site.stage.connect(NUMBER)
    ends = await asyncio.gather(*(until(stream, "connected-connected") for stream in streams))
    for stream in streams:
        await stream.aclose()

    assert len(firsts) == 10
    assert len(site.stage.begun) == 1
    codes = {found for scan in scans for found in re.findall(r"<svg.*?</svg>", scan["html"], re.S)}
    assert len(codes) == 1  # The rest counts down.
    assert all(end["over"] for end in ends)


async def test_so_many_pages_follow_and_no_more(client: ClientSession, site: Site) -> None:
    url = site.url
    streams = [steps(client, url) for _ in range(40)]
    await asyncio.gather(*(anext(stream) for stream in streams))

    status, _ = await got(client, f"{url}/events")

    assert status == 429
    for stream in streams:
        await stream.aclose()


async def test_a_link_that_is_revoked_ends_what_follows_it(
    client: ClientSession, site: Site
) -> None:
    url = site.url
    async with aclosing(steps(client, url)) as events:
        await anext(events)
        site.links.revoke(COMPANY)
        site.stage.follower.scan()
        rest = [event async for event in events]

    assert len(rest) <= 1
    assert (await got(client, f"{url}/events"))[0] == 410


async def test_a_store_that_is_away_is_told_and_tried_again(
    client: ClientSession, tmp_path: Path
) -> None:
    async with opened(tmp_path, Stage(away=True)) as site, client.get(site.url) as answer:
        text = await answer.text()

    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert "LYROX no responde ahora" in text
    assert '<meta http-equiv="refresh" content="5">' in text


async def test_links_of_which_nobody_knows_whether_they_are_revoked_open_nothing(
    client: ClientSession, site: Site
) -> None:
    url, files = site.url, CompanyFiles(site.state_dir, COMPANY)
    files.prepare()
    files.links.write_text("", encoding="utf-8")

    status, text = await got(client, url)

    assert status == 503
    assert "LYROX no responde ahora" in text


@pytest.mark.parametrize(
    ("stage", "title"),
    [
        (Stage(state=State(Reason.LOGGED_OUT)), "Vuelve a vincular el WhatsApp"),
        (Stage(state=State(Reason.ONLINE), phone=NUMBER), f"Listo: conectado como {NUMBER}"),
        (Stage(state=State(Reason.UNREACHABLE), phone=NUMBER), "Vinculado, pero sin conexión"),
        (Stage(served=False), "LYROX está detenido para esta empresa"),
    ],
)
async def test_the_page_begins_where_the_company_stands(
    client: ClientSession, tmp_path: Path, stage: Stage, title: str
) -> None:
    async with opened(tmp_path, stage) as site:
        _, text = await got(client, site.url)

    assert title in text
    assert "lyrox pair" not in text


@pytest.mark.parametrize(
    "reason",
    [
        *("expired", "refused", "passkey_asked", "client_outdated", "unreachable", "busy"),
        *("number_in_use", "another_number", "too_many_letters", "no_such_number", "too_often"),
        *("fault", "library_missing", "something new"),
    ],
)
async def test_every_failure_has_words_and_one_way_on(
    client: ClientSession, tmp_path: Path, reason: str
) -> None:
    async with opened(tmp_path) as site:
        url = site.url
        await did(client, url, do="begin")
        site.stage.follower.say("failed", reason=reason)
        await asyncio.sleep(0.05)
        texts = [
            (await got(client, url, **{"Accept-Language": language}))[1]
            for language in ("es", "en")
        ]

    assert texts[0] != texts[1]
    for text in texts:
        main = text.partition("<main")[2].partition("</main>")[0]
        assert main.count("<button") + main.count('class="button') == 1
        assert "$" not in main
