"""Where the metrics read what others count anyway."""

from functools import partial

from bot.degraded import Degraded, Mode
from bot.jobs import Doorbell
from bot.llm import Targets
from bot.metrics import Metrics
from bot.stores import Stores
from bot.wakes import Wakes


def watch_stores(metrics: Metrics, stores: Stores, doorbell: Doorbell, *more: Wakes) -> None:
    """Calls that failed, added up over every door to a store."""
    for store, doors in (
        ("postgres", (stores.database,)),
        ("redis", (stores.redis, doorbell, *more)),
        ("mongo", (stores.conversations,)),
    ):
        for door in doors:
            metrics.watch("store_failures", partial(getattr, door, "failures"), store=store)


def watch_models(metrics: Metrics, model: Targets) -> None:
    """Which language models rest after too many faults in a row."""

    def rests(target: str) -> bool:
        return model.states()[target] != "closed"

    for target in model.states():
        metrics.watch("llm_breaker_open", partial(rests, target), target=target)


def watch_degraded(metrics: Metrics, degraded: Degraded) -> None:
    """What does not work as it should."""
    for mode in Mode:
        metrics.watch("degraded", partial(degraded.holds, mode), mode=mode.value)
