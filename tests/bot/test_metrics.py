"""What Prometheus reads from us."""

import re
import timeit
from collections.abc import Iterable
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from bot.metrics import Metrics


def _families(metrics: Metrics) -> dict[str, Metric]:
    parsed: Iterable[Metric] = text_string_to_metric_families(metrics.render().decode())
    return {family.name: family for family in parsed}


def _value(metrics: Metrics, name: str, **labels: str) -> float | None:
    for family in _families(metrics).values():
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return None


def _used() -> Metrics:
    metrics = Metrics()
    metrics.accepted("new")
    metrics.limited()
    metrics.owner_paused()
    metrics.rang()
    metrics.turn("ready", "persona")
    metrics.waited(2.1)
    metrics.answered("persona", 1.2)
    metrics.handed_over()
    metrics.llm_call("main", "answered", 0.9, 250)
    metrics.sent("reply")
    metrics.unsent("stopped")
    metrics.settled(sent=True)
    metrics.delivered(3.0)
    metrics.backlog(pending=5, ready=2)
    metrics.sessions({"online": 3})
    metrics.pairing_ended("paired")
    metrics.link_refused("expired")
    metrics.purged(inbox=3, turns=2, outbox=4)
    metrics.archived(5)
    metrics.lagged(0.002)
    metrics.watch("store_failures", lambda: 1, store="mongo")
    metrics.watch("journal_entries", lambda: 7)
    metrics.watch("llm_breaker_open", lambda: 1, target="main")
    return metrics


def test_everything_noted_can_be_read_back() -> None:
    metrics = _used()

    assert _value(metrics, "lyrox_messages_accepted_total", verdict="new") == 1
    assert _value(metrics, "lyrox_rate_limited_messages_total") == 1
    assert _value(metrics, "lyrox_owner_pauses_total") == 1
    assert _value(metrics, "lyrox_doorbell_rings_total") == 1
    assert _value(metrics, "lyrox_turns_total", outcome="ready", handler="persona") == 1
    assert _value(metrics, "lyrox_turn_wait_seconds_sum") == 2.1
    assert _value(metrics, "lyrox_turn_answer_seconds_sum", handler="persona") == 1.2
    assert _value(metrics, "lyrox_handovers_total") == 1
    assert _value(metrics, "lyrox_llm_calls_total", target="main", outcome="answered") == 1
    assert _value(metrics, "lyrox_llm_call_seconds_sum", target="main") == 0.9
    assert _value(metrics, "lyrox_llm_tokens_total", target="main") == 250
    assert _value(metrics, "lyrox_outbox_sent_total", kind="reply") == 1
    assert _value(metrics, "lyrox_outbox_unsent_total", outcome="stopped") == 1
    assert _value(metrics, "lyrox_outbox_settled_total", found="sent") == 1
    assert _value(metrics, "lyrox_turn_delivery_seconds_sum") == 3.0
    assert _value(metrics, "lyrox_backlog", waiting="pending_messages") == 5
    assert _value(metrics, "lyrox_backlog", waiting="ready_parts") == 2
    assert _value(metrics, "lyrox_sessions", state="online") == 3
    assert _value(metrics, "lyrox_pairings_total", outcome="paired") == 1
    assert _value(metrics, "lyrox_pairing_links_refused_total", why="expired") == 1
    assert _value(metrics, "lyrox_ledger_rows_purged_total", table="outbox") == 4
    assert _value(metrics, "lyrox_conversation_lines_archived_total") == 5
    assert _value(metrics, "lyrox_loop_lag_seconds_count") == 1
    assert _value(metrics, "lyrox_store_failures_total", store="mongo") == 1
    assert _value(metrics, "lyrox_journal_entries") == 7
    assert _value(metrics, "lyrox_llm_breaker_open", target="main") == 1


def test_the_process_tells_its_memory_and_files() -> None:
    families = _families(Metrics())

    assert families["process_resident_memory_bytes"].samples[0].value > 1_000_000
    assert families["process_open_fds"].samples[0].value >= 3
    assert families["process_cpu_seconds"].samples[0].value > 0


def test_every_metric_says_what_it_means() -> None:
    for family in _families(_used()).values():
        assert family.documentation.endswith("."), family.name
        assert family.type in {"counter", "gauge", "histogram"}


def test_what_has_not_happened_yet_is_a_zero_not_a_gap() -> None:
    metrics = Metrics()

    assert _value(metrics, "lyrox_messages_accepted_total", verdict="duplicate") == 0
    assert _value(metrics, "lyrox_outbox_unsent_total", outcome="failed") == 0


def test_a_state_that_no_session_has_any_more_falls_to_zero() -> None:
    metrics = Metrics()
    metrics.sessions({"online": 2, "logged_out": 1})

    metrics.sessions({"online": 3})

    assert _value(metrics, "lyrox_sessions", state="online") == 3
    assert _value(metrics, "lyrox_sessions", state="logged_out") == 0


@pytest.mark.parametrize("label", ["+13055550167", "13055550167", "lid:1305", "hola, soy Ana", ""])
def test_no_label_can_hold_a_phone_or_a_text(label: str) -> None:
    metrics = Metrics()

    metrics.unsent(label)

    assert _value(metrics, "lyrox_outbox_unsent_total", outcome="other") == 1


def test_labels_never_grow_without_bound() -> None:
    metrics = Metrics()

    for number in range(5000):
        metrics.turn(f"outcome-{number}", "persona")

    samples = _families(metrics)["lyrox_turns"].samples
    assert len(samples) <= 201
    assert sum(sample.value for sample in samples) == 5000


def test_readings_of_several_sources_are_added_up() -> None:
    metrics = Metrics()
    metrics.watch("store_failures", lambda: 2, store="redis")
    metrics.watch("store_failures", lambda: 3, store="redis")

    assert _value(metrics, "lyrox_store_failures_total", store="redis") == 5


def test_a_reading_nobody_declared_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        Metrics().watch("nonsense", lambda: 1)
    with pytest.raises(KeyError):
        Metrics().watch("journal_entries", lambda: 1, company="acme")


def test_two_registries_know_nothing_of_each_other() -> None:
    one, other = Metrics(), Metrics()

    one.limited()

    assert _value(other, "lyrox_rate_limited_messages_total") == 0


def test_what_one_note_costs_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    metrics, rounds = _used(), 2000
    notes = {
        "accepted": lambda: metrics.accepted("new"),
        "turn": lambda: metrics.turn("ready", "persona"),
        "answered": lambda: metrics.answered("persona", 1.2),
    }
    with capsys.disabled():
        for name, note in notes.items():
            micros = timeit.timeit(note, number=rounds) / rounds * 1e6
            print(f"\n  {name}: {micros:.1f} µs", end="")
        print(f"\n  render: {timeit.timeit(metrics.render, number=5) / 5 * 1e3:.1f} ms")


def test_the_manual_lists_every_metric() -> None:
    manual = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
    listed = set(re.findall(r"`((?:lyrox|process)_\w+)`", manual.read_text(encoding="utf-8")))

    made = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in _families(Metrics()).values()
    }

    assert listed == made
