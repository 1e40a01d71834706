"""``lyrox why``: from any id to the whole story, and to no other company's."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from pymongo import MongoClient

from models.ledger import Ledger
from models.values import AiMetadata, Channel, InboundMessage, Turn
from tests.bot.cli.conftest import Lyrox, write_config
from tests.builders import admin, make_company, message, reply

HOST = uuid4()
AI = AiMetadata("gpt-x", 1100, 850)
COSTS: dict[str, object] = {
    "prompt_hash": "abc123def456",
    "target": "main",
    "guard": ["unknown_price"],
    "asked": [
        {"target": "main", "model": "gpt-x", "in": 400, "out": 100},
        {"target": "main", "model": "gpt-x", "in": 500, "out": 100},
    ],
}


@pytest.fixture
async def look(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await admin(database)
    yield connection
    await connection.close()


@pytest.fixture
def ledger(look: asyncpg.Connection) -> Ledger:
    async def call(function: str, *args: object, **_: object) -> Any:
        places = ", ".join(f"${number}" for number in range(1, len(args) + 1))
        return await look.fetchrow(f"SELECT * FROM {function}({places})", *args)  # noqa: S608

    return Ledger(call)


@pytest.fixture
async def company(database: str, slug: str) -> UUID:
    return await make_company(database, slug=slug)


async def _claimed(ledger: Ledger, *sent: InboundMessage) -> Turn:
    for each in sent:
        kept = await ledger.accept(each, reason=None, pause_seconds=0)
    claim = await ledger.claim(sent[0].company_id, kept.customer.id, HOST)
    assert claim.turn is not None
    return claim.turn


async def _answered(ledger: Ledger, company: UUID, *sent: InboundMessage) -> tuple[Turn, list[str]]:
    turn = await _claimed(ledger, *sent)
    _, ids = await ledger.answer(turn, reply("uno", "dos", ai=AI), host=HOST, details=COSTS)
    said = [f"out-{uuid4()}" for _ in ids]
    for part, wa_id in zip(await ledger.ready(company, Channel.TERMINAL, None), said, strict=True):
        await ledger.sending(part, host=HOST, fence=0, secret=b"s" * 32, sessions_hash=None)
        await ledger.sent(company, part.id, wa_id, confirmed=part.id != ids[1])
    return turn, said


def _message(company: UUID, text: str = "hola") -> InboundMessage:
    return message(company, text, wa_id=f"in-{uuid4()}", channel=Channel.TERMINAL)


def _story(lyrox: Lyrox, config: Path, name: object, *options: str) -> dict[str, Any]:
    said = lyrox("why", name, "--json", *options, "--config", config)
    assert (said.code, said.err) == (0, "")
    story: dict[str, Any] = json.loads(said.out)
    return story


def _price(config: Path) -> None:
    target = 'name = "main"\nmodel = "gpt-x"\ninput_price = 2.0\noutput_price = 5'
    config.write_text(f"{config.read_text()}[[llm.targets]]\n{target}\n")


async def test_every_id_of_a_turn_leads_to_the_same_story(
    lyrox: Lyrox, config: Path, ledger: Ledger, company: UUID, slug: str, look: Any
) -> None:
    first, second = _message(company), _message(company, "¿precio?")
    turn, said = await _answered(ledger, company, first, second)
    row = await look.fetchval("SELECT id FROM inbox WHERE wa_id = $1", first.wa_id)
    part = await look.fetchval("SELECT max(id) FROM outbox")

    names = (first.wa_id, second.wa_id, f"inbox-{row}", f"outbox-{part}", said[1], turn.id)
    stories = [_story(lyrox, config, name) for name in (*names, str(turn.id)[:13])]

    for story in stories:
        story.pop("id")
    assert all(story == stories[0] for story in stories)
    assert stories[0]["company"] == slug
    assert [each["wa_id"] for each in stories[0]["messages"]] == [first.wa_id, second.wa_id]
    assert [each["confirmed"] for each in stories[0]["parts"]] == [True, False]


async def test_the_story_tells_who_answered_how_and_at_what_cost(
    lyrox: Lyrox, config: Path, ledger: Ledger, company: UUID
) -> None:
    _price(config)
    sent = _message(company)
    await _answered(ledger, company, sent)

    story = _story(lyrox, config, sent.wa_id)

    assert story["turn"]["handler"] == "persona"
    assert (story["turn"]["attempts"], story["turn"]["taken_back"]) == (1, 0)
    model = {key: value for key, value in story["model"].items() if key != "requests"}
    assert model == {
        "target": "main",
        "model": "gpt-x",
        "prompt_hash": "abc123def456",
        "tokens_in": 900,
        "tokens_out": 200,
        "tokens": 1100,
        "milliseconds": 850,
        "cost": "0.0028 USD",
    }
    assert story["checks"]["guard"] == "held an answer back (unknown_price)"
    assert story["checks"]["rate limit"] == "passed"
    assert story["ending"].startswith("Answered ")
    assert story["ending"].endswith("; nobody saw it confirmed.")


async def test_without_prices_the_cost_is_unknown(
    lyrox: Lyrox, config: Path, ledger: Ledger, company: UUID
) -> None:
    sent = _message(company)
    await _answered(ledger, company, sent)

    assert _story(lyrox, config, sent.wa_id)["model"]["cost"] == "unknown"


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("over the rate limit", "the customer had written more than the rate limit allows"),
        ("too old when it arrived", "it was older than max_age_hours when it arrived"),
        ("something of its own", "something of its own"),
    ],
)
async def test_silence_has_its_reason(
    lyrox: Lyrox, config: Path, ledger: Ledger, company: UUID, reason: str, sentence: str
) -> None:
    sent = _message(company)
    kept = await ledger.accept(sent, reason=reason, pause_seconds=0)
    await ledger.notice(company, kept.customer.id, Channel.TERMINAL, sent.chat, "más despacio")

    story = _story(lyrox, config, sent.wa_id)

    assert story["ending"] == f"Not answered: {sentence}."
    assert (story["turn"], len(story["notices"])) == (None, 1)
    over = reason == "over the rate limit"
    assert story["checks"]["rate limit"] == ("over" if over else "passed")


async def test_what_is_still_under_way_says_where_it_is(
    lyrox: Lyrox, config: Path, ledger: Ledger, company: UUID
) -> None:
    sent = _message(company)
    await ledger.accept(sent, reason=None, pause_seconds=0)
    waits = _story(lyrox, config, sent.wa_id)["ending"]
    turn = await _claimed(ledger, _message(company))
    asked = _story(lyrox, config, sent.wa_id)["ending"]
    await ledger.defer(
        turn, host=HOST, delay=60, reason="no model", notice="ya te digo", notice_minutes=30
    )
    deferred = _story(lyrox, config, sent.wa_id)

    assert waits == "It waits for its turn."
    assert asked == "It is being answered by a process that has ended."
    assert deferred["ending"].startswith("It waits to be tried again at 20")
    assert deferred["ending"].endswith("(no model).")
    assert (deferred["turn"]["vain"], len(deferred["notices"])) == (1, 1)


async def test_what_was_taken_back_or_stopped_is_told(
    lyrox: Lyrox, config: Path, ledger: Ledger, company: UUID
) -> None:
    first, second = _message(company), _message(company)
    turn = await _claimed(ledger, first)
    await ledger.answer(turn, reply("uno"), host=HOST, details=COSTS)
    again = await _claimed(ledger, second)
    _, ids = await ledger.answer(again, reply("dos"), host=HOST, details=COSTS)
    await ledger.stop(company, ids[0], "paused: owner")

    story = _story(lyrox, config, first.wa_id)

    assert [part["state"] for part in story["parts"]] == ["superseded", "stopped"]
    assert story["checks"]["pause"] == "the owner had taken over the chat"
    assert story["checks"]["taken back"] == "1 times, because the customer wrote more"
    assert len(story["model"]["requests"]) == 4
    assert "the owner had taken over the chat" in story["ending"]


async def test_texts_are_shown_on_request_alone(
    lyrox: Lyrox, config: Path, ledger: Ledger, company: UUID
) -> None:
    sent = _message(company, "mi secreto")
    await _answered(ledger, company, sent)

    short = lyrox("why", sent.wa_id, "--config", config)
    long = lyrox("why", sent.wa_id, "--text", "--config", config)

    assert "mi secreto" not in short.out
    assert "mi secreto" not in json.dumps(_story(lyrox, config, sent.wa_id))
    assert "mi secreto" in long.out
    assert _story(lyrox, config, sent.wa_id, "--text")["messages"][0]["content"] == "mi secreto"
    for shown in (sent.wa_id, "persona", "abc123def456", "guard:", "PART", "(unconfirmed)"):
        assert shown in short.out


@pytest.mark.parametrize(
    "name", ["nobody", "inbox-0", "outbox-99999999", str(UUID(int=7)), "'; --"]
)
async def test_an_unknown_id_is_one_sentence(lyrox: Lyrox, config: Path, name: str) -> None:
    said = lyrox("why", name, "--config", config)

    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"lyrox: nothing is known of {name}: ")
    assert said.err.count("\n") == 1


async def test_a_number_that_two_tables_have_is_to_be_named(
    lyrox: Lyrox, config: Path, ledger: Ledger, company: UUID, look: Any
) -> None:
    await _answered(ledger, company, _message(company))
    both = await look.fetchval("SELECT max(i.id) FROM inbox i JOIN outbox o ON o.id = i.id")

    said = lyrox("why", both, "--config", config)

    assert said.code == 2
    assert f"may be inbox-{both} or outbox-{both}; name one" in said.err


async def test_what_was_cleared_is_told_by_what_remembers_it(
    lyrox: Lyrox,
    config: Path,
    ledger: Ledger,
    company: UUID,
    slug: str,
    look: Any,
    mongo_client: MongoClient[dict[str, Any]],
    mongo_database: str,
) -> None:
    sent = _message(company)
    turn, said = await _answered(ledger, company, sent)
    row = await look.fetchval("SELECT id FROM inbox WHERE wa_id = $1", sent.wa_id)
    await look.execute("DELETE FROM outbox WHERE company_id = $1", company)
    await look.execute("DELETE FROM inbox WHERE company_id = $1", company)
    await look.execute("DELETE FROM turns WHERE company_id = $1", company)
    _price(config)
    line = {"id": sent.wa_id, "timestamp": datetime.now(UTC), "sender": "customer", "content": "x"}
    mongo_client[mongo_database].conversations.insert_one(
        {"companyId": str(company), "customerId": str(turn.customer.id), "messages": [line]}
    )

    message_, reply_, turn_, number = (
        _story(lyrox, config, name) for name in (sent.wa_id, said[0], turn.id, f"inbox-{row}")
    )

    assert all(story["cleared"] for story in (message_, reply_, turn_, number))
    assert "cleared after 90 days (ledger_days)" in number["ending"]
    assert (message_["line"]["company"], message_["line"]["sender"]) == (slug, "customer")
    assert reply_["logs"][0]["event_data"]["prompt_hash"] == "abc123def456"
    assert [entry["event_data"]["part"] for entry in turn_["logs"]] == [2, 1]
    assert turn_["logs"][0]["cost"] == "0.0028 USD"
    assert "The conversation still has it:" in lyrox("why", sent.wa_id, "--config", config).out


@pytest.mark.parametrize(
    "nowhere",
    [
        {"postgres": "postgres://nobody@127.0.0.1:1/x"},
        {"mongo": "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100"},
    ],
)
def test_a_store_that_is_away_is_no_unknown_id(
    lyrox: Lyrox, database: str, tmp_path: Path, nowhere: dict[str, str]
) -> None:
    away = write_config(tmp_path, stores={"postgres": database} | nowhere)

    assert lyrox("why", "x", "--config", away).code == 75
