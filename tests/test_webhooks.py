"""docs/webhooks.md tells the truth: its example, its schemas, its check of a signature."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator

from bot.alerts.composing import AGAIN, BEGUN, ENDED, TEST_ALERT, Composed, compose
from bot.alerts.envelope import envelope
from bot.alerts.kinds import Kind
from bot.alerts.signing import signed, signing_secret
from bot.config import Settings
from models.alert_settings import Addressee
from models.alerts import Letter, Outlet
from tests.schemas import SCHEMAS, faults

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = (DOCS / "webhooks.md").read_text(encoding="utf-8")
AT = "2026-03-02T12:00:00.123456+00:00"
ACME = Addressee(
    *(UUID(int=7), "acme", "Acme", True, "ana@acme.test", ""),
    *("es", None, None, None, None, None),
)
PERSON = {"customerId": str(UUID(int=3)), "phone": "+13055550100", "name": None}
CHANGE = {
    "messageId": "3AFF02",
    "targetId": "3AFF01",
    "channel": "whatsapp",
    "sentAt": AT,
    **PERSON,
}
EVENTS: dict[str, dict[str, Any]] = {
    "message.received": {
        "messageId": "3AFF01",
        "channel": "whatsapp",
        "kind": "text",
        "text": "Hola",
        "sentAt": AT,
        "silence": None,
        **PERSON,
    },
    "message.edited": {"text": "Hola, ¿precio?", "applied": True, **CHANGE},
    "message.revoked": {"applied": False, **CHANGE},
    "message.reaction": {"emoji": "👍", **CHANGE},
    "reply.sent": {
        "messageId": None,
        "channel": "terminal",
        "turnId": str(UUID(int=4)),
        "part": 1,
        "kind": "reply",
        "text": "98 USD",
        "confirmed": True,
        "model": "gpt",
        "sentAt": AT,
        **PERSON,
    },
    "chat.handed_over": {
        "reason": "no_payment_link",
        "until": AT,
        "product": {"id": str(UUID(int=5))},
        **PERSON,
    },
    "customer.stage_changed": {"from": "lead", "to": "qualified", **PERSON},
    "session.changed": {"reason": "banned_until", "detail": "", "until": AT, "phone": "+1305"},
}


def document(type_: str, payload: dict[str, Any], composed: Composed | None = None) -> Any:
    letter = Letter(
        *(1, ACME.company_id, UUID(int=9), Outlet.EVENTS, type_, payload, 1),
        *(datetime(2026, 3, 2, tzinfo=UTC), False),
    )
    return json.loads(envelope(letter, ACME, composed))


def alert(type_: str, kind: Kind = Kind.LOGGED_OUT, link: str | None = None) -> Any:
    payload = {
        "incident": str(UUID(int=1)),
        "kind": kind.value,
        "began": AT,
        "at": AT,
        "ended": AT if type_ == ENDED else None,
        "facts": {"reason": "logged_out", "count": 2},
    }
    return document(type_, payload, compose(type_, payload, ACME, Settings(), lambda _: link))


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_one_and_is_strict(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])

    assert SCHEMAS[name]["additionalProperties"] is False
    assert SCHEMAS[name]["properties"]["data"]["additionalProperties"] is False
    assert f"(webhooks/{name}.schema.json)" in PAGE


@pytest.mark.parametrize("type_", EVENTS)
def test_an_event_is_as_its_schema_says(type_: str) -> None:
    made = document(type_, {"at": AT, "data": EVENTS[type_]})

    assert faults(made) == []
    assert made["timestamp"] == "2026-03-02T12:00:00.123Z"


@pytest.mark.parametrize("reason", ["online", "pairing", "abducted"])
def test_a_session_is_as_its_schema_says_whatever_it_is(reason: str) -> None:
    made = document("session.changed", {"at": AT, "data": {"reason": reason}})

    assert faults(made) == []


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("type_", [BEGUN, AGAIN, ENDED])
def test_an_alert_is_as_its_schema_says(type_: str, kind: Kind) -> None:
    assert faults(alert(type_, kind, "https://bot.test/pair/token")) == []
    assert faults(alert(type_, kind)) == []


def test_a_test_is_as_its_schema_says() -> None:
    composed = compose(TEST_ALERT, {}, ACME, Settings(), lambda _: None)

    assert faults(document(TEST_ALERT, {"at": AT}, composed)) == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_refuses_what_is_not_so(name: str) -> None:
    made = (
        alert(BEGUN)
        if name.startswith("alert")
        else document(name, {"at": AT, "data": EVENTS[name]})
    )

    assert faults({**made, "type": "something.else"}, name)
    assert faults({**made, "timestamp": "yesterday"}, name)
    assert faults({**made, "data": {**made["data"], "surprise": 1}}, name)


def test_the_page_s_own_example_is_as_its_schema_says() -> None:
    [example] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    made = json.loads(example)

    assert faults(made) == []


def test_every_type_that_is_sent_stands_on_the_page() -> None:
    assert {f"`{type_}`" for type_ in (*EVENTS, BEGUN, AGAIN, ENDED, TEST_ALERT)} <= set(
        re.findall(r"`[a-z_]+\.[a-z_]+`", PAGE)
    )


def is_genuine() -> Callable[[str, dict[str, str], bytes], bool]:
    """The function that the page shows."""
    [example] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102 - It is what the page tells people to run.
    check: Callable[[str, dict[str, str], bytes], bool] = names["is_genuine"]
    return check


def test_the_page_s_check_takes_ours_and_nothing_else() -> None:
    check, body = is_genuine(), '{"text":"¿cuánto?"}'.encode()
    secret, other = (signing_secret("m" * 32, signer) for signer in ("acme", "lido"))
    now = datetime.fromtimestamp(time.time(), UTC)
    headers = signed(secret, "id-1", now, body)
    old = signed(secret, "id-1", datetime.fromtimestamp(time.time() - 301, UTC), body)

    assert check(secret, headers, body)
    assert not check(other, headers, body)
    assert not check(secret, headers, body + b" ")
    assert not check(secret, {**headers, "webhook-id": "id-2"}, body)
    assert not check(secret, old, body)


def test_a_signature_of_a_former_secret_beside_ours_does_not_matter() -> None:
    check, secret = is_genuine(), signing_secret("m" * 32, "acme")
    headers = signed(secret, "id-1", datetime.fromtimestamp(time.time(), UTC), b"{}")
    both = {**headers, "webhook-signature": f"v1,AAAA {headers['webhook-signature']}"}

    assert check(secret, both, b"{}")


def test_a_name_is_no_way_out_of_the_body() -> None:
    payload = {"at": AT, "data": EVENTS["session.changed"]}
    letter = Letter(
        *(1, ACME.company_id, UUID(int=9), Outlet.EVENTS, "session.changed", payload, 1),
        *(datetime(2026, 3, 2, tzinfo=UTC), False),
    )

    body = envelope(letter, replace(ACME, name='A"}\n<script>'), None)

    assert json.loads(body)["company"]["name"] == 'A"}\n<script>'
