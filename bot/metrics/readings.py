"""Numbers that others keep anyway: asked for at each scrape, so that nobody has to push them."""

import resource
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.footprint import footprint

Read = Callable[[], float]


@dataclass(frozen=True, slots=True)
class _Reading:
    family: type[CounterMetricFamily] | type[GaugeMetricFamily]
    help: str
    labels: tuple[str, ...] = ()
    sources: dict[tuple[str, ...], list[Read]] = field(default_factory=dict)


class Readings(Collector):
    """What may be watched, by name; several sources with the same labels are added up."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._readings = {
            "store_failures": _Reading(
                CounterMetricFamily, "Calls to a store that failed.", ("store",)
            ),
            "degraded": _Reading(
                GaugeMetricFamily,
                "Whether something does not work as it should (1), at the last look.",
                ("mode",),
            ),
            "doorbell_malformed": _Reading(
                CounterMetricFamily, "Jobs on the queue that were not ours or not readable."
            ),
            "journal_entries": _Reading(
                GaugeMetricFamily, "Messages on the local disk that intake has not taken in yet."
            ),
            "set_aside_events": _Reading(
                GaugeMetricFamily,
                "Events on this machine that intake fails on, set aside until somebody acts.",
            ),
            "session_restarts": _Reading(
                CounterMetricFamily,
                "WhatsApp sessions that ended by themselves and were begun again, by why.",
                ("reason",),
            ),
            "recycles": _Reading(
                CounterMetricFamily,
                "Times this shard's process ended to be started afresh, by what had grown.",
                ("cause",),
            ),
            "rate_limit_local": _Reading(
                CounterMetricFamily,
                "Messages that this process counted for itself, because Redis was away.",
            ),
            "turns_running": _Reading(GaugeMetricFamily, "Turns at work in this process."),
            "llm_breaker_open": _Reading(
                GaugeMetricFamily,
                "Whether a language model rests (1) or not (0).",
                ("target",),
            ),
        }

    def watch(self, name: str, read: Read, labels: dict[str, str]) -> None:
        """Ask *read* at each scrape. Raises KeyError for a name or label that is not declared."""
        reading = self._readings[name]
        if set(labels) != set(reading.labels):
            raise KeyError(f"{name} has the labels {reading.labels}")
        values = tuple(labels[label] for label in reading.labels)
        reading.sources.setdefault(values, []).append(read)

    def collect(self) -> Iterable[Metric]:
        for name, reading in self._readings.items():
            family = reading.family(f"{self._prefix}_{name}", reading.help, labels=reading.labels)
            for labels, sources in reading.sources.items():
                family.add_metric(labels, sum(read() for read in sources))
            yield family


class ProcessReadings(Collector):
    """This process in the names Prometheus knows; the library's own needs all of ``/proc``."""

    def collect(self) -> Iterator[Metric]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        yield CounterMetricFamily(
            "process_cpu_seconds", "CPU time, user and system.", used.ru_utime + used.ru_stime
        )
        now = footprint()
        if now.memory is not None:
            yield GaugeMetricFamily(
                "process_resident_memory_bytes", "Memory in RAM.", value=now.memory
            )
        yield GaugeMetricFamily("process_open_fds", "Open file descriptors.", value=now.files)
        yield GaugeMetricFamily(
            "process_max_fds", "Most file descriptors allowed.", value=now.most_files
        )
