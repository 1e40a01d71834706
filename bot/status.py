"""What the daemon says of itself: to ``lyrox status``, to ``/readyz``, to systemd, at start."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any
from uuid import UUID

from bot.config import Settings
from bot.config import Stores as StoreSettings
from bot.redis_store import RedisStore
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
STORE_SECONDS = 0.6
"""A store that takes longer does not answer; ``lyrox status`` itself waits a second."""


class Question:
    """One question to a store, never asked again while it hangs.

    It is left alone then and not cancelled, because a cancelled statement waits for the server.
    """

    def __init__(self, what: str, ask: Callable[[], Awaitable[Any]], meanwhile: str) -> None:
        self._what = what
        self._ask = ask
        self._meanwhile = meanwhile
        self._asked: asyncio.Future[Any] | None = None

    async def ask(self) -> tuple[str | None, Any]:
        """What is wrong, or None, and the answer."""
        if self._asked is None or self._asked.done():
            self._asked = asyncio.ensure_future(self._ask())
            self._asked.add_done_callback(_heard)
        await asyncio.wait([self._asked], timeout=STORE_SECONDS)
        if not self._asked.done():
            return self._problem(f"nothing within {STORE_SECONDS} s"), None
        try:
            return None, self._asked.result()
        except LyroxError as error:
            return self._problem(str(error)), None

    def _problem(self, why: str) -> str:
        return f"{self._what} does not answer: until it is back, {self._meanwhile} ({why})"


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
    ) -> None:
        self._settings = settings
        self._shard = shard
        self._desk = desk
        self._alerts = alerts
        self._questions = (
            Question("PostgreSQL", self._overview, "messages wait in the journal"),
            Question("Redis", redis.ping, "turns run in this process"),
            Question("MongoDB", partial(conversations.last, NOBODY, NOBODY, 1), "history waits"),
        )
        self._states = states
        self._model = model
        self._began = time.monotonic()

    async def problems(self) -> list[str]:
        """Why this daemon is not ready; empty when it is."""
        return (await self._look())[0]

    async def status(self) -> dict[str, Any]:
        """What ``lyrox status --json`` prints."""
        problems, seen = await self._look()
        return {
            "shard": self._shard,
            "ready": not problems,
            "problems": problems,
            "companies": [self._company(one) for one in seen["companies"]],
            "backlog": {
                key: seen.get(key, 0)
                for key in ("pending", "oldest_seconds", "outbox", "waiting_turns")
            },
            "turns_here": self._settings.daemon.turns_here,
            "workers": seen.get("workers", []),
            "handovers": seen["handovers"],
            "alerts": seen.get("alerts", {"open": [], "waiting": 0, "dead": 0, "letters": []}),
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

    async def _overview(self) -> dict[str, Any]:
        return {**await self._desk.overview(), "alerts": await self._alerts.overview()}

    async def _look(self) -> tuple[list[str], dict[str, Any]]:
        """All stores are asked at once: what is wrong, and what PostgreSQL knows."""
        asked = await asyncio.gather(*(question.ask() for question in self._questions))
        seen = asked[0][1] or {"companies": [], "handovers": [], "too_old": []}
        problems = [problem for problem, _ in asked if problem]
        if not self._settings.daemon.turns_here and seen.get("workers") == []:
            problems.append(NONE_LIVES)
        return problems, seen

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


def _heard(asked: asyncio.Future[Any]) -> None:
    """An answer that came too late for anybody is no fault to be logged."""
    if not asked.cancelled():
        asked.exception()


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
