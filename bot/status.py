"""What the daemon says of itself: to ``lyrox status``, to ``/readyz``, to systemd, at start."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any
from uuid import UUID

from bot.conditions import Condition, Names
from bot.config import Settings
from bot.config import Stores as StoreSettings
from bot.degraded import Degraded, Mode, Problem
from bot.questions import STORE_SECONDS, Lookout, Question
from bot.redis_store import RedisStore
from bot.whatsapp.aside import set_aside_in
from bot.whatsapp.states import Phase, Reason, State
from bot.workers import NONE_LIVES
from models.alerts import AlertDesk
from models.conversations import Conversations
from models.desk import Desk
from models.errors import LyroxError

STORES = ("postgres", "redis", "mongo")
NOBODY = UUID(int=0)
INACTIVE = (
    "The company or its owner's account is not active, so its WhatsApp is stopped."
    " `lyrox company set` makes a company active."
)


_WITHOUT = {
    Mode.POSTGRES: "messages wait on the disk, in order, and nobody is answered",
    Mode.REDIS: "turns run in this process, which counts the rate limit by itself",
    Mode.MONGO: "answers know the history by cache and ledger, and conversations are written later",
}
_NOTHING: Mapping[str, Any] = {"companies": [], "handovers": [], "too_old": []}
_NO_ALERTS: Mapping[str, Any] = {"open": [], "waiting": 0, "dead": 0, "letters": []}


class StatusPage:
    """Gathers the truth afresh at each question; *states* are the sessions of this process."""

    def __init__(
        self,
        settings: Settings,
        *,
        shard: int,
        desk: Desk,
        alerts: AlertDesk,
        redis: RedisStore,
        conversations: Conversations,
        states: Callable[[], Mapping[UUID, State]],
        model: str,
        degraded: Degraded,
        conditions: Sequence[Condition] = (),
        unstored: Callable[[], int] = lambda: 0,
    ) -> None:
        self._settings = settings
        self._shard = shard
        self._desk = desk
        self._incidents = Question(Mode.POSTGRES, alerts.overview, "alerts wait")
        self._lookout = Lookout(
            (
                Question(Mode.POSTGRES, self._overview, _WITHOUT[Mode.POSTGRES]),
                Question(Mode.REDIS, redis.ping, _WITHOUT[Mode.REDIS]),
                Question(
                    Mode.MONGO,
                    partial(conversations.last, NOBODY, NOBODY, 1),
                    _WITHOUT[Mode.MONGO],
                ),
            ),
            (*conditions, self._workers_missing),
            degraded,
        )
        self._seen: Mapping[str, Any] = _NOTHING
        self._slugs: dict[UUID, str] = {}
        self._unstored = unstored
        self._states = states
        self._model = model
        self._began = time.monotonic()

    async def problems(self) -> list[str]:
        """Why this daemon is not ready; empty when it is."""
        return [problem.sentence for problem in (await self.look())[0]]

    async def look(self, seconds: float = STORE_SECONDS) -> tuple[list[Problem], Mapping[str, Any]]:
        """What is amiss, and what PostgreSQL knows; each store is asked for *seconds*."""
        problems, (seen, *_) = await self._lookout.look(self._name, seconds=seconds)
        return problems, seen or _NOTHING

    async def status(self) -> dict[str, Any]:
        """What ``lyrox status --json`` prints."""
        problems, seen = await self.look()
        alerts = (await self._incidents.ask())[1] if seen is not _NOTHING else None
        return {
            "shard": self._shard,
            "ready": not problems,
            "problems": [problem.sentence for problem in problems],
            "degraded": self._lookout.told(problems),
            "journal": self._unstored(),
            "set_aside": self._set_aside(),
            "companies": [self._company(one) for one in seen["companies"]],
            "backlog": {
                key: seen.get(key, 0)
                for key in ("pending", "oldest_seconds", "outbox", "waiting_turns")
            },
            "turns_here": self._settings.daemon.turns_here,
            "workers": seen.get("workers", []),
            "handovers": seen["handovers"],
            "alerts": alerts or _NO_ALERTS,
            "too_old": seen["too_old"],
            "stores": kinds(self._settings.stores),
            "llm": self._model,
            "uptime_seconds": round(time.monotonic() - self._began),
            "version": version("lyrox"),
        }

    def line(self) -> str:
        """One line for ``systemctl status``."""
        phases = [state.phase for state in self._states().values()]
        connected = phases.count(Phase.CONNECTED)
        return f"{connected} of {len(phases)} companies connected; language model: {self._model}"

    async def welcome(self, listen: str) -> list[str]:
        """What a person at the terminal needs after the start."""
        seen = await self._desk.overview()
        found = kinds(self._settings.stores).items()
        slugs = [company["slug"] for company in seen["companies"]]
        return [
            f"LYROX {version('lyrox')} is running; health and metrics on http://{listen}",
            f"stores: {', '.join(f'{name} {kind}' for name, kind in found)}",
            f"language model: {self._model}",
            f"companies: {', '.join(slugs) or 'none yet: lyrox seed emilio-born'}",
            *_next_steps(slugs),
        ]

    async def _overview(self) -> Mapping[str, Any]:
        try:
            self._seen = seen = await self._desk.overview()
        except LyroxError:
            self._seen = _NOTHING
            raise
        self._slugs = {UUID(one["id"]): one["slug"] for one in seen["companies"]}
        return seen

    def _workers_missing(self, _: Names) -> Iterable[Problem]:
        if not self._settings.daemon.turns_here and self._seen.get("workers") == []:
            yield Problem(Mode.WORKERS, NONE_LIVES)

    def _name(self, company_id: UUID) -> str:
        return self._slugs.get(company_id, str(company_id))

    def _set_aside(self) -> list[dict[str, object]]:
        found = set_aside_in(self._settings.daemon.state_dir)
        return [{"company": self._name(one), "events": found[one]} for one in found]

    def _company(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Its state by this process, or by what its holder has recorded."""
        state = self._states().get(UUID(row["id"])) or _recorded(row)
        return {
            "slug": row["slug"],
            "name": row["name"],
            "active": row["active"],
            "paused": row["paused"],
            "shard": row["shard"],
            "state": state.phase.value,
            "reason": state.reason.value,
            "sentence": state.sentence("en") if row["active"] else INACTIVE,
            "phone_seen": row["phone_seen"] or "unknown",
        }


def _recorded(row: Mapping[str, Any]) -> State:
    known = row["host"] is not None and row["reason"] in {reason.value for reason in Reason}
    return State(Reason(row["reason"]) if known else Reason.STOPPED)


def kinds(stores: StoreSettings) -> dict[str, str]:
    """Whose each store is."""
    return {name: "by URL" if getattr(stores, name) else "private" for name in STORES}


def _next_steps(slugs: Iterable[str]) -> list[str]:
    first = next(iter(slugs), None)
    if first is None:
        return []
    return [
        f"chat without a phone: .venv/bin/lyrox chat {first}",
        f"pair a phone: .venv/bin/lyrox pair {first}",
    ]
