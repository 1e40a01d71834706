"""Everything that is counted and measured; no label ever holds a phone number or a text."""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest

from bot.metrics.instruments import (
    Alerts,
    Arrival,
    LanguageModels,
    Now,
    Outbox,
    Pairings,
    Turns,
    Upkeep,
)
from bot.metrics.readings import ProcessReadings, Readings


class Metrics:
    """What an operator may plot; each method takes note of one thing that happened."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # They double every series.
        self._registry = registry = CollectorRegistry()
        self._arrival = Arrival(registry)
        self._turns = Turns(registry)
        self._models = LanguageModels(registry)
        self._outbox = Outbox(registry)
        self._alerts = Alerts(registry)
        self._pairings = Pairings(registry)
        self._upkeep = Upkeep(registry)
        self._now = Now(registry)
        self._readings = Readings("lyrox")
        registry.register(self._readings)
        registry.register(ProcessReadings())

    def accepted(self, verdict: str) -> None:
        """Intake took in a message."""
        self._arrival.accepted[verdict].inc()

    def limited(self) -> None:
        """A message was over the rate limit."""
        self._arrival.limited.inc()

    def owner_paused(self) -> None:
        """An owner wrote in a chat, which silences it."""
        self._arrival.owner_pauses.inc()

    def owner_did(self, what: str) -> None:
        """An owner wrote: took a chat, gave it back, commanded, or it was no person's text."""
        self._arrival.owner_words[what].inc()

    def rang(self) -> None:
        """A turn was announced on the queue."""
        self._arrival.rings.inc()

    def turn(self, outcome: str, handler: str) -> None:
        """An attempt at a turn ended."""
        self._turns.ended[outcome, handler].inc()

    def waited(self, seconds: float) -> None:
        """A turn was claimed *seconds* after its first message came in."""
        self._turns.wait.observe(seconds)

    def answered(self, handler: str, seconds: float) -> None:
        """A handler came to a decision."""
        self._turns.answer[handler].observe(seconds)

    def handed_over(self) -> None:
        """A chat is a human's now."""
        self._turns.handovers.inc()

    def llm_call(self, target: str, outcome: str, seconds: float, tokens: int) -> None:
        """One request to one language model ended."""
        self._models.ended[target, outcome].inc()
        self._models.seconds[target].observe(seconds)
        self._models.tokens[target].inc(tokens)

    def sent(self, kind: str) -> None:
        """A part left."""
        self._outbox.sent[kind].inc()

    def unsent(self, outcome: str) -> None:
        """A part did not leave at this try."""
        self._outbox.unsent[outcome].inc()

    def settled(self, *, sent: bool) -> None:
        """It was found out whether an unseen send arrived."""
        self._outbox.settled["sent" if sent else "not_sent"].inc()

    def delivered(self, seconds: float) -> None:
        """A part left *seconds* after it became ready."""
        self._outbox.delivery.observe(seconds)

    def alert(self, kind: str, type_: str) -> None:
        """An owner is to hear of something amiss: of its begin, again, or of its end."""
        self._alerts.told[kind, type_].inc()

    def delivery(self, channel: str, outcome: str) -> None:
        """A try to deliver an alert or an event ended."""
        self._alerts.deliveries[channel, outcome].inc()

    def backlog(self, *, pending: int, ready: int) -> None:
        """How many messages wait for an answer, and how many parts to be sent."""
        self._now.backlog["pending_messages"].set(pending)
        self._now.backlog["ready_parts"].set(ready)

    def workers(self, living: int) -> None:
        """How many processes answer beside the daemons."""
        self._now.workers.set(living)

    def sessions(self, counts: Mapping[str, int]) -> None:
        """How many sessions of this process are in each state; states not named have none."""
        for state in {*self._now.sessions, *counts}:
            self._now.sessions[state].set(counts.get(str(state), 0))

    def pairing_ended(self, outcome: str) -> None:
        """A pairing that was begun on the page ended."""
        self._pairings.ended[outcome].inc()

    def link_refused(self, why: str) -> None:
        """Somebody came to the pairing page with a link that does not count."""
        self._pairings.refused[why].inc()

    def purged(self, **rows: int) -> None:
        """So many closed rows of each table were cleared."""
        for table, count in rows.items():
            self._upkeep.purged[table].inc(count)

    def archived(self, lines: int) -> None:
        """So many lines moved out of a long conversation."""
        self._upkeep.archived.inc(lines)

    def lagged(self, seconds: float) -> None:
        """The event loop came *seconds* late."""
        self._now.lag.observe(seconds)

    def watch(self, name: str, read: Callable[[], float], **labels: str) -> None:
        """Ask *read* at each scrape for the reading *name*; see `Readings` for the names."""
        self._readings.watch(name, read, labels)

    def render(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)
