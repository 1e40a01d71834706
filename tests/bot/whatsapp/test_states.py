from datetime import UTC, datetime, timedelta

import pytest

from bot.whatsapp.library import Protos
from bot.whatsapp.pairing import failure_sentence
from bot.whatsapp.pairing_watch import STATUS
from bot.whatsapp.states import MEANINGS, Phase, Reason, State
from bot.whatsapp.transitions import TABLE, Seen, Transitions, after_end, ends_connection

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("language", ["es", "en"])
def test_every_reason_says_what_is_so_and_what_to_do(reason: Reason, language: str) -> None:
    sentence = State(reason, detail="x", until=NOW).sentence(language)

    assert sentence.endswith(".")
    assert "{" not in sentence
    assert len(sentence.split(". ")) >= 2


def test_the_two_languages_never_share_a_sentence() -> None:
    for meaning in MEANINGS.values():
        assert meaning.es != meaning.en
        assert meaning.next_es != meaning.next_en


def test_only_an_online_session_counts_as_connected_however_its_phone_sleeps() -> None:
    connected = [one for one in Reason if MEANINGS[one].phase is Phase.CONNECTED]

    assert connected == [Reason.ONLINE, Reason.PHONE_ASLEEP]


def test_the_end_of_a_ban_is_in_its_sentence() -> None:
    sentence = State(Reason.BANNED_UNTIL, until=NOW).sentence("es")

    assert "hasta 2026-11-22 12:00 UTC" in sentence


@pytest.mark.parametrize("word", [*STATUS.values(), "busy", "expired", "something new"])
def test_every_end_of_a_pairing_has_a_sentence(word: str) -> None:
    assert failure_sentence(word, language="es") != failure_sentence(word, language="en")


def after(protos: Protos, code: int, event: object = None, **more: datetime) -> State | None:
    raw = event.SerializeToString() if event is not None else b""  # type: ignore[attr-defined]
    seen = more.get("last_connected")
    return Transitions(protos, last_connected=seen).after(code, raw, NOW)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (3, Reason.ONLINE),
        (5, Reason.ONLINE),
        (7, Reason.REPLACED),
        (10, Reason.OUTDATED),
        (12, Reason.RECONNECTING),
    ],
)
def test_an_event_leads_to_its_state(protos: Protos, code: int, reason: Reason) -> None:
    assert after(protos, code) == State(reason)


def test_an_unknown_event_changes_nothing(protos: Protos) -> None:
    assert after(protos, 99) is None
    assert after(protos, 11) is None


@pytest.mark.parametrize(("missed", "reason"), [(1, None), (2, Reason.RECONNECTING)])
def test_one_missed_ping_is_no_outage_but_two_are(
    protos: Protos, missed: int, reason: Reason | None
) -> None:
    state = after(protos, 4, protos.events.KeepAliveTimeout(ErrorCount=missed, LastSuccess=0))

    assert (state.reason if state else None) == reason


def test_a_ban_knows_its_end(protos: Protos) -> None:
    state = after(protos, 8, protos.events.TemporaryBan(Code=1, Expire=3600))

    assert state == State(Reason.BANNED_UNTIL, until=NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    ("word", "days", "reason"),
    [
        ("LOGGED_OUT", 1, Reason.LOGGED_OUT),
        ("LOGGED_OUT", 20, Reason.OFFLINE_LONG),
        ("MAIN_DEVICE_GONE", 20, Reason.LOCKED),
        ("UNKNOWN_LOGOUT", 1, Reason.BANNED),
    ],
)
def test_a_logout_says_why(protos: Protos, word: str, days: int, reason: Reason) -> None:
    event = protos.events.LoggedOut(OnConnect=True, Reason=getattr(protos.events, word))
    state = after(protos, 6, event, last_connected=NOW - timedelta(days=days))

    assert state == State(reason)


def test_a_failure_the_client_cannot_name_is_a_fault_with_its_detail(protos: Protos) -> None:
    raw = protos.events.ConnectFailure(Reason=1, Message="bad").SerializePartialToString()
    state = Transitions(protos, last_connected=None).after(9, raw, NOW)

    assert state is not None
    assert state.reason is Reason.FAULT
    assert "login refused: GENERIC bad" in state.sentence("en")


def test_the_end_of_the_thread_is_told_apart_from_no_network() -> None:
    assert after_end("failed to dial whatsapp web websocket").reason is Reason.UNREACHABLE
    assert after_end("proto: required field not set").reason is Reason.FAULT


def test_a_ban_that_the_client_cannot_read_is_still_a_ban_of_unknown_length() -> None:
    state = after_end("proto: required field neonize.TemporaryBan.Code not set")

    assert state == State(Reason.BANNED_UNTIL)
    assert "required field" not in state.sentence("en")


def test_each_cause_stands_in_one_row_and_only_the_unforeseen_has_none() -> None:
    causes = [cause for seen, row in TABLE.items() for cause in row.causes]

    assert len(causes) == len(set(causes))
    assert set(TABLE) == set(Seen)
    unforeseen = [seen for seen, row in TABLE.items() if not row.causes]
    assert unforeseen == [Seen.ENDED, Seen.UNREADABLE]


def test_only_a_state_the_client_recovers_from_keeps_the_connection() -> None:
    stays = {reason for reason in Reason if not ends_connection(State(reason))}

    coming = {Reason.ONLINE, Reason.PHONE_ASLEEP, Reason.CONNECTING, Reason.RECONNECTING}
    assert stays == coming
