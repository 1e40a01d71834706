"""Where the metrics read what others count anyway."""

from functools import partial

from bot.jobs import Doorbell
from bot.llm import Targets
from bot.metrics import Metrics
from bot.recycle import CAUSES, Recycling
from bot.stores import Stores
from bot.wakes import Wakes
from bot.whatsapp.patience import RETRIED
from bot.whatsapp.sessions import Sessions


def watch_stores(metrics: Metrics, stores: Stores, doorbell: Doorbell, wakes: Wakes) -> None:
    """Calls that failed, added up over every door to a store."""
    for store, doors in (
        ("postgres", (stores.database,)),
        ("redis", (stores.redis, doorbell, wakes)),
        ("mongo", (stores.conversations,)),
    ):
        for door in doors:
            metrics.watch("store_failures", partial(getattr, door, "failures"), store=store)


def watch_sessions(metrics: Metrics, sessions: Sessions, recycling: Recycling) -> None:
    """What waits on the disk, and what was begun again: sessions, and this process itself."""
    metrics.watch("journal_entries", sessions.unstored)
    for reason in RETRIED:
        metrics.watch("session_restarts", partial(sessions.restarts, reason), reason=reason.value)
    for cause in CAUSES:
        metrics.watch("recycles", partial(recycling.count, cause), cause=cause)


def watch_models(metrics: Metrics, model: Targets) -> None:
    """Which language models rest after too many faults in a row."""

    def rests(target: str) -> bool:
        return model.states()[target] != "closed"

    for target in model.states():
        metrics.watch("llm_breaker_open", partial(rests, target), target=target)
