"""``lyrox alert``: where a company's alerts go, tried for real."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from bot.alerts.signing import signing_secret
from tests.bot.cli.conftest import Lyrox, Said, write_config
from tests.builders import admin, make_company
from tests.fakes.receiver import Receiver, open_receiver

MASTER = "0123456789abcdef0123456789abcdef"
Config = Path


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as receiver:
        yield receiver


@pytest.fixture
def config(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with a secret and this machine as a private network."""
    monkeypatch.setenv("LYROX_WEBHOOK_SECRET", MASTER)
    return write_config(
        tmp_path,
        stores={"postgres": database},
        alerts={"private_networks": ["127.0.0.0/8"], "time_zone": "America/Caracas"},
    )


@pytest.fixture
async def company(slug: str, database: str) -> str:
    """Its id."""
    return str(await make_company(database, slug=slug))


async def run(lyrox: Lyrox, *words: object) -> Said:
    """A command, while this loop goes on answering."""
    return await asyncio.to_thread(lyrox, *words)


async def test_a_test_goes_by_every_channel_and_says_what_happened(
    lyrox: Lyrox, config: Config, slug: str, company: str, receiver: Receiver
) -> None:
    receiver.secret = signing_secret(MASTER, company)
    events = receiver.url.replace("/hook", "/nowhere")
    await run(
        lyrox,
        "alert",
        "set",
        slug,
        "--webhook",
        receiver.url,
        "--events",
        events,
        "--config",
        config,
    )

    said = await run(lyrox, "alert", "test", slug, "--config", config)

    assert said.code == 1
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[1] == ["webhook", receiver.url, "yes", "answered", "204"]
    assert lines[2] == ["events", events, "no", "answered", "404"]
    [document] = receiver.taken
    assert document["type"] == "alert.test"
    assert document["company"]["id"] == company
    assert document["data"]["title"] == "Aviso de prueba"


async def test_a_test_that_arrives_everywhere_is_well(
    lyrox: Lyrox, config: Config, slug: str, company: str, receiver: Receiver
) -> None:
    await run(lyrox, "alert", "set", slug, "--webhook", receiver.url, "--config", config)

    said = await run(lyrox, "alert", "test", slug, "--json", "--config", config)

    assert said.code == 0
    assert json.loads(said.out) == {
        "ok": True,
        "channels": [
            {"channel": "webhook", "address": receiver.url, "ok": True, "says": "answered 204"}
        ],
    }


async def test_without_any_channel_it_says_how_to_get_one(
    lyrox: Lyrox, config: Config, slug: str, company: str
) -> None:
    said = await run(lyrox, "alert", "test", slug, "--config", config)

    assert (said.code, said.out) == (
        1,
        "no channel; `lyrox alert set` or the sections [alerts] and [mail] give one\n",
    )


async def test_the_own_chat_needs_a_daemon_and_its_absence_is_told(
    lyrox: Lyrox, config: Config, slug: str, company: str, database: str
) -> None:
    look = await admin(database)
    await look.execute(
        "UPDATE companies SET whatsapp_session_data = $2 WHERE slug = $1",
        *(slug, json.dumps({"jid": "584125550100:3@s.whatsapp.net"})),
    )

    said = await run(lyrox, "alert", "test", slug, "--wait", "0.3", "--config", config)

    assert said.code == 1
    assert "584125550100@s.whatsapp.net  no  not taken within 0.3 s: WhatsApp is not" in said.out
    left = await look.fetchval("SELECT count(*) FROM deliveries WHERE state = 'waiting'")
    await look.close()
    assert left == 0


async def test_the_daemon_s_verdict_on_the_own_chat_is_told(
    lyrox: Lyrox, config: Config, slug: str, company: str, database: str
) -> None:
    look = await admin(database)
    await look.execute(
        "UPDATE companies SET whatsapp_session_data = $2 WHERE slug = $1",
        *(slug, json.dumps({"jid": "584125550100:3@s.whatsapp.net"})),
    )

    async def daemon() -> None:
        taken = "UPDATE deliveries SET state = 'delivered', reason = 'sent' WHERE state = 'waiting'"
        while await look.execute(taken) == "UPDATE 0":  # noqa: ASYNC110 - It is a table.
            await asyncio.sleep(0.01)

    said, _ = await asyncio.gather(run(lyrox, "alert", "test", slug, "--config", config), daemon())

    await look.close()
    assert said.code == 0
    assert said.out.splitlines()[1].split()[2:] == ["yes", "sent"]


async def test_a_test_that_is_given_up_is_not_sent_later(
    config: Config, slug: str, company: str, database: str
) -> None:
    look = await admin(database)
    await look.execute(
        "UPDATE companies SET whatsapp_session_data = $2 WHERE slug = $1",
        *(slug, json.dumps({"jid": "584125550100:3@s.whatsapp.net"})),
    )
    words = ("alert", "test", slug, "--wait", "60", "--config", str(config))
    query = "SELECT state FROM deliveries WHERE company_id = $1::uuid"

    command = await asyncio.create_subprocess_exec(sys.executable, "-m", "bot", *words)
    async with asyncio.timeout(30):
        while await look.fetchval(query, company) is None:  # noqa: ASYNC110 - It is a table.
            await asyncio.sleep(0.05)
        command.send_signal(signal.SIGINT)
        code = await command.wait()

    assert (code, await look.fetchval(query, company)) == (130, "dropped")
    await look.close()


@pytest.fixture
async def dead(company: str, database: str) -> AsyncIterator[asyncpg.Connection]:
    """Two letters that nobody took; yields a look at the database."""
    look = await admin(database)
    await look.execute("DELETE FROM deliveries")
    for source in ("first", "second"):
        await look.execute(
            "INSERT INTO deliveries (company_id, channel, type, source, payload, state, attempts,"
            " created_at, next_try_at, ended_at) VALUES ($1, 'events', 'message.received', $2,"
            " '{}', 'dead', 290, now() - interval '1 day', now(), now())",
            *(company, source),
        )
    yield look
    await look.close()


async def test_dead_letters_are_sent_again_of_one_company_or_of_all(
    lyrox: Lyrox, config: Config, slug: str, database: str, dead: asyncpg.Connection
) -> None:
    await make_company(database, slug=f"{slug}-other")

    other = await run(lyrox, "alert", "retry", f"{slug}-other", "--config", config)
    ours = await run(lyrox, "alert", "retry", slug, "--config", config)
    nothing = await run(lyrox, "alert", "retry", "--json", "--config", config)

    assert other.out == "nothing to send again\n"
    assert ours.out.startswith("2 dead letters on the way again; `lyrox status`")
    assert json.loads(nothing.out) == {"again": 0, "over": 0}
    rows = await dead.fetch("SELECT state, attempts, ended_at FROM deliveries")
    assert [tuple(row) for row in rows] == [("waiting", 0, None)] * 2


async def test_dead_letters_of_nobody_are_a_mistake_that_is_told(
    lyrox: Lyrox, config: Config, dead: asyncpg.Connection
) -> None:
    said = await run(lyrox, "alert", "retry", "nobody", "--config", config)

    assert said.code == 2
    assert await dead.fetchval("SELECT count(*) FROM deliveries WHERE state = 'dead'") == 2


async def test_what_is_set_is_shown_and_can_be_taken_back(
    lyrox: Lyrox, config: Config, slug: str, company: str
) -> None:
    for words in (("--events", "https://crm.test/e", "--whatsapp", "no"), ("--events", "off")):
        assert (await run(lyrox, "alert", "set", slug, *words, "--config", config)).code == 0

    said = await run(lyrox, "alert", "show", slug, "--json", "--config", config)

    assert json.loads(said.out) == {
        "language": "es",
        "time_zone": "America/Caracas",
        "quiet_hours": "22:00-08:00",
        "webhook": None,
        "email": None,
        "whatsapp": None,
        "events": None,
    }


async def test_a_company_may_differ_from_the_configuration_and_follow_it_again(
    lyrox: Lyrox, tmp_path: Path, database: str, slug: str, company: str
) -> None:
    config = write_config(
        tmp_path,
        stores={"postgres": database},
        alerts={"webhook": "https://all.test/"},
        mail={"host": "mail.test", "sender": "lyrox@acme.test"},
    )
    shown = []
    for wish in ("default", "off", "default"):
        words = ("--webhook", wish, "--email", wish)
        await run(lyrox, "alert", "set", slug, *words, "--config", config)
        said = await run(lyrox, "alert", "show", slug, "--json", "--config", config)
        shown.append([json.loads(said.out)[name] for name in ("webhook", "email")])

    assert shown[0] == shown[2]
    assert shown[0][0] == "https://all.test/"
    assert "@" in shown[0][1]
    assert shown[1] == [None, None]


async def test_an_events_webhook_hears_nothing_of_before_and_keeps_its_place_when_it_moves(
    lyrox: Lyrox, config: Config, slug: str, company: str, database: str
) -> None:
    look = await admin(database)
    query = "SELECT events_since, inbox_position FROM alert_settings WHERE company_id = $1::uuid"
    seen = []
    for url in ("https://one.test/", "https://two.test/"):
        await run(lyrox, "alert", "set", slug, "--events", url, "--config", config)
        seen.append(await look.fetchrow(query, company))
    await look.close()

    assert seen[0] == seen[1]
    assert seen[0]["events_since"] is not None


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "nothing to change; give at least one of --email"),
        (("--email", "ana"), "email: 'ana' is not an e-mail address"),
        (("--webhook", "crm.test"), "webhook: 'crm.test' is not a URL"),
        (("--events", "https://a:b@crm.test"), "events: must hold neither a user name"),
        (("--whatsapp", "perhaps"), "whatsapp: 'perhaps' is neither true nor false"),
    ],
)
async def test_a_mistake_is_told_and_changes_nothing(
    lyrox: Lyrox, config: Config, slug: str, company: str, words: tuple[str, ...], why: str
) -> None:
    said = await run(lyrox, "alert", "set", slug, *words, "--config", config)

    assert (said.code, why in said.err) == (2, True)


async def test_plain_http_is_refused_where_no_network_is_private(
    lyrox: Lyrox, tmp_path: Path, database: str, slug: str, company: str
) -> None:
    config = write_config(tmp_path, stores={"postgres": database})

    said = await run(lyrox, "alert", "set", slug, "--events", "http://crm.test", "--config", config)

    assert (said.code, "events: must begin with https://" in said.err) == (2, True)


async def test_each_receiver_can_be_given_its_secret(
    lyrox: Lyrox, config: Config, slug: str, company: str
) -> None:
    own = await run(lyrox, "alert", "secret", slug, "--config", config)
    shared = await run(lyrox, "alert", "secret", "--config", config)

    assert own.out.strip() == signing_secret(MASTER, company)
    assert shared.out.strip() == signing_secret(MASTER, "installation")


@pytest.mark.parametrize("master", ["", "too short"])
async def test_without_a_master_secret_there_is_none_to_give(
    lyrox: Lyrox, config: Config, monkeypatch: pytest.MonkeyPatch, master: str
) -> None:
    monkeypatch.setenv("LYROX_WEBHOOK_SECRET", master)

    said = await run(lyrox, "alert", "secret", "--config", config)

    assert (said.code, "LYROX_WEBHOOK_SECRET" in said.err) == (78, True)


async def test_a_company_says_its_language_and_its_time_zone(
    lyrox: Lyrox, config: Config, slug: str, company: str
) -> None:
    words = ("--language", "en", "--time-zone", "Europe/Madrid")
    assert (await run(lyrox, "company", "set", slug, *words, "--config", config)).code == 0
    assert (
        await run(lyrox, "company", "set", slug, "--language", "es", "--config", config)
    ).code == 0

    shown = await run(lyrox, "company", "show", slug, "--json", "--config", config)
    facts: dict[str, Any] = json.loads(shown.out)

    assert (facts["language"], facts["time_zone"]) == ("es", "Europe/Madrid")


@pytest.mark.parametrize("words", [("--language", "pt"), ("--time-zone", "Caracas")])
async def test_a_language_and_a_zone_that_do_not_exist_are_told(
    lyrox: Lyrox, config: Config, slug: str, company: str, words: tuple[str, str]
) -> None:
    said = await run(lyrox, "company", "set", slug, *words, "--config", config)

    assert (said.code, words[1] in said.err) == (2, True)
