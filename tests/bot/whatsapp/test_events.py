import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from bot.whatsapp.events import Horizon, Ignored, MessageReader
from bot.whatsapp.library import Protos
from models.values import InboundMessage, Kind, Sender
from tests.bot.whatsapp.conftest import COMPANY, OWN, MakeEvent

SENT = datetime.fromtimestamp(1_790_000_000, UTC)


@pytest.fixture(scope="module")
def reader(protos: Protos) -> MessageReader:
    return MessageReader(COMPANY, protos, Horizon(SENT - timedelta(days=1), timedelta(hours=12)))


def read(reader: MessageReader, raw: bytes, now: datetime = SENT) -> InboundMessage | Ignored:
    return reader.read(raw, seq=7, now=now)


def accepted(reader: MessageReader, raw: bytes, now: datetime = SENT) -> InboundMessage:
    message = read(reader, raw, now)
    assert isinstance(message, InboundMessage)
    return message


def test_a_customers_text_keeps_whatsapps_id_time_and_both_addresses(
    reader: MessageReader, make_event: MakeEvent
) -> None:
    message = accepted(reader, make_event("hola"))

    assert (message.wa_id, message.text, message.kind) == ("3A0001", "hola", Kind.TEXT)
    assert (message.phone, message.lid) == ("+5215587654321", "999888777666555")
    assert message.chat == "999888777666555@lid"
    assert (message.sender, message.name) == (Sender.CUSTOMER, "Ana")
    assert (message.sent_at, message.journal_seq, message.stale) == (SENT, 7, False)


def test_a_customer_addressed_by_number_is_the_same_person(
    reader: MessageReader, make_event: MakeEvent
) -> None:
    raw = make_event(chat="5215587654321@s.whatsapp.net", alt="999888777666555@lid")

    message = accepted(reader, raw)

    assert (message.phone, message.lid) == ("+5215587654321", "999888777666555")
    assert message.chat == "5215587654321@s.whatsapp.net"


def test_a_customer_without_a_number_is_kept_by_the_lid(
    reader: MessageReader, make_event: MakeEvent
) -> None:
    assert accepted(reader, make_event(alt="")).phone == "lid:999888777666555"


@pytest.mark.parametrize("seconds", [-1, 2**62])
def test_a_time_that_no_calendar_has_becomes_one_that_every_clock_can_show(
    reader: MessageReader, make_event: MakeEvent, seconds: int
) -> None:
    """PostgreSQL tells times by the clocks of the place where it stands."""
    sent_at = accepted(reader, make_event("hola", Timestamp=seconds)).sent_at

    for hours in (-12, 14):
        there = sent_at.astimezone(timezone(timedelta(hours=hours)))
        assert datetime.fromisoformat(there.isoformat()) == sent_at


def content(protos: Protos, **fields: Any) -> Any:
    return protos.e2e.Message(**fields)


@pytest.mark.parametrize(
    ("fields", "kind", "text"),
    [
        ({"extendedTextMessage": {"text": "con enlace"}}, Kind.TEXT, "con enlace"),
        ({"imageMessage": {"caption": "mi foto"}}, Kind.IMAGE, "mi foto"),
        ({"videoMessage": {"caption": "mi video"}}, Kind.VIDEO, "mi video"),
        ({"documentMessage": {"caption": "mi rutina"}}, Kind.DOCUMENT, "mi rutina"),
        ({"audioMessage": {"PTT": True}}, Kind.AUDIO, ""),
        ({"stickerMessage": {"height": 1}}, Kind.STICKER, ""),
        ({"locationMessage": {"degreesLatitude": 1.0}}, Kind.LOCATION, "📍 1.00000, 0.00000"),
        ({"contactMessage": {"displayName": "x"}}, Kind.CONTACT, "👤 x"),
        ({"listResponseMessage": {"title": "Plan"}}, Kind.TEXT, "Plan"),
        ({"pollCreationMessage": {"name": "x"}}, Kind.POLL, "📊 x"),
        ({"buttonsResponseMessage": {"selectedButtonID": "b2"}}, Kind.TEXT, "b2"),
    ],
)
def test_every_kind_brings_its_own_words_and_nothing_else(
    reader: MessageReader,
    make_event: MakeEvent,
    protos: Protos,
    fields: dict[str, Any],
    kind: Kind,
    text: str,
) -> None:
    with_context = content(protos, messageContextInfo={"messageSecret": b"x" * 32}, **fields)

    message = accepted(reader, make_event(with_context))

    assert (message.kind, message.text) == (kind, text)


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("not_one_to_one", {"chat": "1203630@g.us", "group": True}),
        ("not_one_to_one", {"chat": "status@broadcast", "group": True}),
        ("not_one_to_one", {"chat": "5215500000@broadcast"}),
        ("not_one_to_one", {"chat": "12036@newsletter"}),
        ("not_one_to_one", {"chat": "1313555@bot"}),
        ("no_person", {"chat": "0@s.whatsapp.net", "alt": ""}),
        ("note_to_self", {"chat": f"{OWN}@s.whatsapp.net", "own": True, "alt": ""}),
        ("protocol", {"Category": "peer"}),
        ("edit", {"edited": True}),
        ("edit", {"Edit": "1"}),
    ],
)
def test_what_is_not_between_two_people_is_left_alone(
    reader: MessageReader, make_event: MakeEvent, reason: str, changes: dict[str, Any]
) -> None:
    assert read(reader, make_event(**changes)) == Ignored(reason)


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        ("protocol", {"protocolMessage": {"type": 0}}),
        ("protocol", {"protocolMessage": {"type": 14, "editedMessage": {"conversation": "x"}}}),
        ("empty", {"albumMessage": {"expectedImageCount": 3}}),
        ("empty", {"senderKeyDistributionMessage": {"groupID": "x"}}),
        ("empty", {}),
        ("empty", {"conversation": " \x00 "}),
    ],
)
def test_a_message_without_content_is_left_alone(
    reader: MessageReader,
    make_event: MakeEvent,
    protos: Protos,
    reason: str,
    fields: dict[str, Any],
) -> None:
    assert read(reader, make_event(content(protos, **fields))) == Ignored(reason)


def test_what_changes_a_message_names_it(
    reader: MessageReader, make_event: MakeEvent, protos: Protos
) -> None:
    key = {"ID": "3A7"}
    new = {"type": 14, "key": key, "editedMessage": {"conversation": "dos"}}
    edit = accepted(reader, make_event(content(protos, protocolMessage=new)))
    revoke = accepted(reader, make_event(content(protos, protocolMessage={"type": 0, "key": key})))
    sign = accepted(reader, make_event(content(protos, reactionMessage={"key": key, "text": "👍"})))

    assert [(one.kind, one.text, one.target) for one in (edit, revoke, sign)] == [
        (Kind.EDIT, "dos", "3A7"),
        (Kind.REVOKE, "", "3A7"),
        (Kind.REACTION, "👍", "3A7"),
    ]


def test_a_kind_inside_a_wrapper_that_the_client_leaves_closed_is_found(
    reader: MessageReader, make_event: MakeEvent, protos: Protos
) -> None:
    inner = {"message": {"imageMessage": {"caption": "de un álbum"}}}

    message = accepted(reader, make_event(content(protos, associatedChildMessage=inner)))

    assert (message.kind, message.text) == (Kind.IMAGE, "de un álbum")


def test_a_wrapper_in_a_wrapper_without_end_is_kept_as_it_came(
    reader: MessageReader, make_event: MakeEvent, protos: Protos
) -> None:
    inner: dict[str, Any] = {"conversation": "hola"}
    for _ in range(9):
        inner = {"associatedChildMessage": {"message": inner}}

    message = accepted(reader, make_event(content(protos, **inner)))

    assert (message.kind, message.text) == (Kind.OTHER, "")


def test_lengths_and_lists_of_a_stranger_are_bounded(
    reader: MessageReader, make_event: MakeEvent, protos: Protos
) -> None:
    options = [{"optionName": "o" * 5_000}] * 500
    poll = {"name": "¿" * 50_000, "options": options}
    quote = {"stanzaID": "q" * 9_000, "quotedMessage": {"conversation": "x" * 90_000}}
    words = {"text": "y" * 90_000, "contextInfo": quote}
    asked = accepted(reader, make_event(content(protos, pollCreationMessage=poll)))
    said = accepted(reader, make_event(content(protos, extendedTextMessage=words)))

    assert len(json.dumps(asked.facts)) < 30_000
    assert len(said.text) <= 70_000
    assert said.quote is not None
    assert (len(said.quote.id), len(said.quote.text)) == (200, 1_000)


def test_an_unknown_message_is_kept_raw_and_its_size_is_bounded(
    reader: MessageReader, make_event: MakeEvent, protos: Protos
) -> None:
    note = {"requestPaymentMessage": {"currencyCodeIso4217": "M" * 200_000}}

    facts = accepted(reader, make_event(content(protos, **note))).facts

    assert facts["fields"] == ["requestPaymentMessage"]
    assert int(str(facts["bytes"])) > 200_000
    assert len(base64.b64decode(str(facts["raw"]))) == 65_536


def test_bytes_that_are_no_event_are_named_and_raise_nothing(reader: MessageReader) -> None:
    assert read(reader, b"\xff\xfe\x00") == Ignored("unreadable")


def test_bytes_that_are_no_text_are_replaced_not_dropped(
    reader: MessageReader, make_event: MakeEvent, protos: Protos
) -> None:
    broken = protos.e2e.Message.FromString(b"\x0a\x03a\xff\xfe")

    assert accepted(reader, make_event(broken)).text == "a\ufffd\ufffd"


def test_a_message_without_an_id_is_left_alone(
    reader: MessageReader, make_event: MakeEvent
) -> None:
    assert read(reader, make_event(ID="")) == Ignored("unreadable")


def test_nul_never_reaches_the_database(reader: MessageReader, make_event: MakeEvent) -> None:
    message = accepted(reader, make_event("a\x00b", Pushname="A\x00na"))

    assert (message.text, message.name) == ("ab", "Ana")


def test_what_the_owner_types_belongs_to_the_customers_chat(
    reader: MessageReader, make_event: MakeEvent
) -> None:
    message = accepted(reader, make_event("yo sigo", own=True))

    assert message.sender is Sender.OWNER
    assert (message.phone, message.name) == ("+5215587654321", None)
    assert set(reader.chats(make_event("yo sigo", own=True))) == {
        "999888777666555@lid",
        "5215587654321@s.whatsapp.net",
    }


def test_the_owners_reaction_or_deletion_is_no_takeover(
    reader: MessageReader, make_event: MakeEvent, protos: Protos
) -> None:
    reaction = make_event(content(protos, reactionMessage={"text": "👍"}), own=True)
    deletion = make_event(content(protos, protocolMessage={"type": 0}), own=True)

    assert read(reader, reaction) == Ignored("reaction")
    assert read(reader, deletion) == Ignored("protocol")
    named = content(protos, protocolMessage={"type": 0, "key": {"ID": "3A7"}})
    assert read(reader, make_event(named, own=True)) == Ignored("revoke")


@pytest.mark.parametrize(
    ("age", "stale"), [(timedelta(hours=11), False), (timedelta(hours=13), True)]
)
def test_a_message_past_its_age_is_kept_but_not_answered(
    reader: MessageReader, make_event: MakeEvent, age: timedelta, stale: bool
) -> None:
    assert accepted(reader, make_event(), SENT + age).stale is stale


def test_a_message_from_before_the_pairing_is_kept_but_not_answered(
    protos: Protos, make_event: MakeEvent
) -> None:
    horizon = Horizon(SENT + timedelta(seconds=1), timedelta(hours=12))

    reader = MessageReader(COMPANY, protos, horizon)

    assert accepted(reader, make_event(), SENT + timedelta(seconds=2)).stale
    assert not accepted(reader, make_event(), SENT).stale  # The clock was set back since.


def test_a_message_of_the_second_of_the_pairing_is_answered(
    protos: Protos, make_event: MakeEvent
) -> None:
    horizon = Horizon(SENT + timedelta(milliseconds=900), timedelta(hours=12))

    reader = MessageReader(COMPANY, protos, horizon)

    assert not accepted(reader, make_event(), SENT + timedelta(seconds=2)).stale


def test_without_a_pairing_note_only_the_age_counts(protos: Protos, make_event: MakeEvent) -> None:
    reader = MessageReader(COMPANY, protos, Horizon(None, timedelta(hours=12)))

    assert not accepted(reader, make_event()).stale
