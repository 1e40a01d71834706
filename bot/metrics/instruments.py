"""The counters, gauges and histograms themselves: name, meaning, labels, buckets."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from bot.metrics.children import Children

WAITS = (0.05, 0.25, 1.0, 2.0, 2.5, 3.0, 5.0, 8.0, 12.0, 20.0, 60.0, 300.0)
CALLS = (0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 20.0, 40.0)
LAGS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


class Arrival:
    """What comes in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        accepted = Counter(
            "lyrox_messages_accepted",
            "Messages that intake took in, by what it made of them.",
            ("verdict",),
            registry=registry,
        )
        self.accepted = Children(accepted.labels, ("new", "duplicate", "collision"))
        self.limited = Counter(
            "lyrox_rate_limited_messages",
            "Messages kept in silence because they were over the rate limit.",
            registry=registry,
        )
        self.owner_pauses = Counter(
            "lyrox_owner_pauses",
            "Times an owner's own message silenced a chat.",
            registry=registry,
        )
        words = Counter(
            "lyrox_owner_words",
            "What owners wrote, by what it did.",
            ("did",),
            registry=registry,
        )
        self.owner_words = Children(words.labels)
        self.rings = Counter(
            "lyrox_doorbell_rings", "Turns announced on the queue.", registry=registry
        )


class Turns:
    """What becomes of it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        ended = Counter(
            "lyrox_turns",
            "Attempts at a turn, by how they ended.",
            ("outcome", "handler"),
            registry=registry,
        )
        self.ended = Children(ended.labels)
        self.wait = Histogram(
            "lyrox_turn_wait_seconds",
            "From the first message of a turn until its claim.",
            buckets=WAITS,
            registry=registry,
        )
        answer = Histogram(
            "lyrox_turn_answer_seconds",
            "How long a handler took, language model included.",
            ("handler",),
            buckets=CALLS,
            registry=registry,
        )
        self.answer = Children(answer.labels)
        self.handovers = Counter(
            "lyrox_handovers", "Replies that handed a chat over to a human.", registry=registry
        )


class LanguageModels:
    """Who was asked, and at what cost."""

    def __init__(self, registry: CollectorRegistry) -> None:
        ended = Counter(
            "lyrox_llm_calls",
            "Calls to a language model, by how they ended.",
            ("target", "outcome"),
            registry=registry,
        )
        self.ended = Children(ended.labels)
        seconds = Histogram(
            "lyrox_llm_call_seconds",
            "How long a call to a language model took.",
            ("target",),
            buckets=CALLS,
            registry=registry,
        )
        self.seconds = Children(seconds.labels)
        tokens = Counter(
            "lyrox_llm_tokens",
            "Tokens that a language model counted.",
            ("target",),
            registry=registry,
        )
        self.tokens = Children(tokens.labels)


class Outbox:
    """What goes out."""

    def __init__(self, registry: CollectorRegistry) -> None:
        sent = Counter("lyrox_outbox_sent", "Parts that left.", ("kind",), registry=registry)
        self.sent = Children(sent.labels, ("reply", "notice"))
        unsent = Counter(
            "lyrox_outbox_unsent",
            "Parts that did not leave at a try, by why.",
            ("outcome",),
            registry=registry,
        )
        self.unsent = Children(unsent.labels, ("stopped", "gone", "not_sent", "failed"))
        settled = Counter(
            "lyrox_outbox_settled",
            "Sends whose end nobody saw, by what was found out later.",
            ("found",),
            registry=registry,
        )
        self.settled = Children(settled.labels, ("sent", "not_sent"))
        self.delivery = Histogram(
            "lyrox_turn_delivery_seconds",
            "From a part being ready until it left.",
            buckets=WAITS,
            registry=registry,
        )


class Alerts:
    """What owners and integrators are told."""

    def __init__(self, registry: CollectorRegistry) -> None:
        told = Counter(
            "lyrox_alerts",
            "Alerts to owners, by what is amiss.",
            ("kind", "type"),
            registry=registry,
        )
        self.told = Children(told.labels)
        deliveries = Counter(
            "lyrox_deliveries",
            "Tries to deliver an alert or an event, by how they ended.",
            ("channel", "outcome"),
            registry=registry,
        )
        self.deliveries = Children(deliveries.labels)


class Pairings:
    """What becomes of the pairing page."""

    def __init__(self, registry: CollectorRegistry) -> None:
        ended = Counter(
            "lyrox_pairings",
            "Pairings begun on the pairing page, by how they ended.",
            ("outcome",),
            registry=registry,
        )
        self.ended = Children(ended.labels, ("paired", "expired", "abandoned"))
        refused = Counter(
            "lyrox_pairing_links_refused",
            "Visits to the pairing page with a link that does not count, by why.",
            ("why",),
            registry=registry,
        )
        self.refused = Children(refused.labels, ("forged", "expired", "revoked", "used"))


class Upkeep:
    """What is kept in bounds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        purged = Counter(
            "lyrox_ledger_rows_purged",
            "Closed ledger rows that were cleared, by table.",
            ("table",),
            registry=registry,
        )
        self.purged = Children(purged.labels, ("inbox", "turns", "outbox"))
        self.archived = Counter(
            "lyrox_conversation_lines_archived",
            "Lines that moved out of a long conversation into its archive.",
            registry=registry,
        )


class Now:
    """How things stand at this moment."""

    def __init__(self, registry: CollectorRegistry) -> None:
        backlog = Gauge(
            "lyrox_backlog", "What waits in the ledger.", ("waiting",), registry=registry
        )
        self.backlog = Children(backlog.labels, ("pending_messages", "ready_parts"))
        sessions = Gauge(
            "lyrox_sessions",
            "WhatsApp sessions of this process, by state.",
            ("state",),
            registry=registry,
        )
        self.sessions = Children(sessions.labels)
        self.workers = Gauge(
            "lyrox_workers", "Processes that answer beside the daemons.", registry=registry
        )
        self.lag = Histogram(
            "lyrox_loop_lag_seconds",
            "How late the event loop came to what was due.",
            buckets=LAGS,
            registry=registry,
        )
