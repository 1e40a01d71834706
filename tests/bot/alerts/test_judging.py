"""Which incidents begin and end with what happens."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.alerts.amiss import RENEWED
from bot.alerts.judging import LAPSES, Begin, End, Move, judge
from bot.alerts.kinds import LINE_DOWN, TRAITS, Kind, trouble
from bot.whatsapp.reasons import MEANINGS, Phase, Reason, WayOut

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def session(reason: Reason | str, *open_kinds: Kind) -> list[Move]:
    return judge("session", "", {"reason": str(reason)}, AT, open_kinds)


def begun(moves: list[Move]) -> list[tuple[Kind, timedelta]]:
    return [(move.kind, move.tell_at - AT) for move in moves if isinstance(move, Begin)]


def ended(moves: list[Move]) -> list[tuple[Kind, bool]]:
    return [(move.kind, move.told) for move in moves if isinstance(move, End)]


@pytest.mark.parametrize(
    ("reason", "kind", "patience"),
    [
        (Reason.LOGGED_OUT, Kind.LOGGED_OUT, 0),
        (Reason.OFFLINE_LONG, Kind.LOGGED_OUT, 0),
        (Reason.LOCKED, Kind.BANNED, 0),
        (Reason.BANNED, Kind.BANNED, 0),
        (Reason.BANNED_UNTIL, Kind.BANNED, 0),
        (Reason.REPLACED, Kind.REPLACED, 0),
        (Reason.OUTDATED, Kind.OUTDATED, 0),
        (Reason.PASSKEY, Kind.PASSKEY, 0),
        (Reason.NUMBER_IN_USE, Kind.NUMBER_IN_USE, 0),
        (Reason.DAMAGED, Kind.FAULT, 0),
        (Reason.LIBRARY_MISSING, Kind.FAULT, 0),
        (Reason.FAULT, Kind.FAULT, 120),
        (Reason.CONNECTING, Kind.OFFLINE, 600),
        (Reason.RECONNECTING, Kind.OFFLINE, 600),
        (Reason.UNREACHABLE, Kind.OFFLINE, 600),
        (Reason.FILE_HELD, Kind.OFFLINE, 600),
        (Reason.NO_ROOM, Kind.OFFLINE, 600),
        (Reason.PHONE_ASLEEP, Kind.PHONE_ASLEEP, 0),
    ],
)
def test_a_state_of_whatsapp_is_an_incident_told_after_its_patience(
    reason: Reason, kind: Kind, patience: int
) -> None:
    assert begun(session(reason)) == [(kind, timedelta(seconds=patience))]


@pytest.mark.parametrize(
    "reason", [Reason.ONLINE, Reason.NEVER_PAIRED, Reason.PAIRING, Reason.STOPPED, "tomorrow's"]
)
def test_a_state_that_is_well_or_known_to_somebody_is_none(reason: Reason) -> None:
    assert session(reason) == []


def test_every_reason_that_waits_for_a_person_is_told_of() -> None:
    waits = {WayOut.OWNER_PAIRS, WayOut.OPERATOR_ACTS}
    known_already = {Reason.NEVER_PAIRED, Reason.PAIRING, Reason.STOPPED}

    silent = {
        reason
        for reason, meaning in MEANINGS.items()
        if meaning.way_out in waits and trouble(reason) is None
    }

    assert silent == known_already


def test_every_reason_without_whatsapp_has_a_weight() -> None:
    kinds = {
        found.kind
        for reason, meaning in MEANINGS.items()
        if meaning.phase is not Phase.CONNECTED and (found := trouble(reason))
    }

    assert kinds == LINE_DOWN.keys()
    assert TRAITS.keys() == set(Kind)


@pytest.mark.parametrize("kind", [*LINE_DOWN, Kind.PHONE_ASLEEP])
def test_a_connection_ends_what_was_amiss_with_whatsapp_and_that_is_told(kind: Kind) -> None:
    assert ended(session(Reason.ONLINE, kind, Kind.LLM_DOWN)) == [(kind, True)]


def test_a_heavier_trouble_takes_the_place_of_a_lighter_one_in_silence() -> None:
    moves = session(Reason.LOGGED_OUT, Kind.OFFLINE, Kind.PHONE_ASLEEP)

    assert ended(moves) == [(Kind.OFFLINE, False), (Kind.PHONE_ASLEEP, False)]
    assert begun(moves) == [(Kind.LOGGED_OUT, timedelta(0))]


def test_a_trouble_of_the_same_weight_takes_the_place_too() -> None:
    moves = session(Reason.BANNED, Kind.LOGGED_OUT)

    assert (ended(moves), begun(moves)) == (
        [(Kind.LOGGED_OUT, False)],
        [(Kind.BANNED, timedelta(0))],
    )


@pytest.mark.parametrize("reason", [Reason.CONNECTING, Reason.RECONNECTING, Reason.FAULT])
def test_what_comes_and_goes_while_whatsapp_is_unlinked_changes_nothing(reason: Reason) -> None:
    assert session(reason, Kind.LOGGED_OUT) == []


def test_trying_again_after_a_fault_is_still_the_same_fault() -> None:
    assert session(Reason.CONNECTING, Kind.FAULT) == []
    assert ended(session(Reason.FAULT, Kind.FAULT)) == []


def test_a_sleeping_phone_is_connected_and_stays_asleep() -> None:
    moves = session(Reason.PHONE_ASLEEP, Kind.PHONE_ASLEEP, Kind.OFFLINE)

    assert ended(moves) == [(Kind.OFFLINE, True)]
    assert begun(moves) == [(Kind.PHONE_ASLEEP, timedelta(0))]


def test_a_hand_over_is_an_incident_of_its_customer_until_its_pause_is_over() -> None:
    until = AT + timedelta(hours=1)
    data = {"customerId": "c", "reason": "model", "until": until.isoformat()}

    assert judge("handover", "c", data, AT, []) == [Begin(Kind.HAND_OVER, AT, "c", data, until)]


def test_a_wish_to_buy_what_has_no_link_is_an_incident_of_its_product_too() -> None:
    data: dict[str, Any] = {"product": {"id": "p", "name": "Plan"}, "until": AT.isoformat()}

    moves = judge("handover", "c", data, AT, [])

    assert [(move.kind, move.subject) for move in moves] == [
        (Kind.HAND_OVER, "c"),
        (Kind.NO_PAYMENT_LINK, "p"),
    ]


@pytest.mark.parametrize(
    ("kind", "ends"),
    [("handover_over", Kind.HAND_OVER), ("payable", Kind.NO_PAYMENT_LINK)],
)
def test_what_its_owner_sees_to_ends_in_silence(kind: str, ends: Kind) -> None:
    assert judge(kind, "s", {}, AT, []) == [End(ends, "s", told=False)]


def test_messages_that_come_too_late_are_one_incident_for_a_day() -> None:
    [move] = judge("too_old", "", {"customerId": "c"}, AT, [])

    assert isinstance(move, Begin)
    assert (move.kind, move.facts, move.ends_at) == (
        Kind.TOO_OLD,
        {"count": 1},
        AT + timedelta(days=1),
    )


def test_language_models_that_fail_are_an_incident_until_one_answers() -> None:
    [down] = judge("llm", "", {"down": True}, AT, [])
    [up] = judge("llm", "", {"down": False}, AT, [])

    assert (begun([down]), ended([up])) == (
        [(Kind.LLM_DOWN, timedelta(minutes=2))],
        [(Kind.LLM_DOWN, True)],
    )


def test_what_one_worker_still_believes_of_the_models_begins_nothing() -> None:
    still = {"down": True, "still": True}

    assert judge("llm", "", still, AT, [Kind.OFFLINE]) == []
    assert judge("llm", "", still, AT, [Kind.LLM_DOWN]) == judge("llm", "", {"down": True}, AT, [])


@pytest.mark.parametrize(
    ("kind", "data"),
    [("llm", {"down": True}), ("aside", {"events": 1}), ("stopped", {"why": "disk_full"})],
)
def test_what_a_daemon_notes_while_it_lasts_lapses_when_it_is_noted_no_more(
    kind: str, data: dict[str, Any]
) -> None:
    [move] = judge(kind, "", data, AT, [])

    assert isinstance(move, Begin)
    assert move.ends_at == AT + LAPSES > AT + 2 * RENEWED


def test_a_change_of_stage_is_no_incident() -> None:
    assert judge("stage", "c", {"from": "lead", "to": "qualified"}, AT, []) == []
