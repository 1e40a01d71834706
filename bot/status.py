"""What the daemon says of itself: to ``lyrox status``, to ``/readyz``, to systemd, at start."""

import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Any
from uuid import UUID

from bot.config import Settings
from bot.config import Stores as StoreSettings
from bot.redis_store import RedisStore
from bot.whatsapp.states import Reason, State
from models.conversations import Conversations
from models.errors import LyroxError
from models.ledger import Desk

STORES = ("postgres", "redis", "mongo")
NOBODY = UUID(int=0)


class StatusPage:
    """Gathers the truth afresh at each question; *states* are the sessions of this process."""

    def __init__(
        self,
        settings: Settings,
        *,
        desk: Desk,
        redis: RedisStore,
        conversations: Conversations,
        states: Callable[[], Mapping[UUID, State]],
        model: str,
    ) -> None:
        self._settings = settings
        self._desk = desk
        self._redis = redis
        self._conversations = conversations
        self._states = states
        self._model = model
        self._began = time.monotonic()

    async def problems(self) -> list[str]:
        """Why this daemon is not ready; empty when it is."""
        found = []
        for what, asked, next_step in (
            ("PostgreSQL", self._desk.overview, "messages wait in the journal until it is back"),
            ("Redis", self._redis.ping, "turns run in this process until it is back"),
            ("MongoDB", self._ask_mongo, "history is written when it is back"),
        ):
            try:
                await asked()
            except LyroxError as error:
                found.append(f"{what} does not answer: {next_step} ({error})")
        return found

    async def status(self) -> dict[str, Any]:
        """What ``lyrox status --json`` prints."""
        problems = await self.problems()
        try:
            seen = await self._desk.overview()
        except LyroxError:
            seen = {"companies": [], "handovers": []}
        return {
            "ready": not problems,
            "problems": problems,
            "companies": [self._company(one) for one in seen["companies"]],
            "backlog": {
                key: seen.get(key, 0)
                for key in ("pending", "oldest_seconds", "outbox", "waiting_turns")
            },
            "handovers": seen["handovers"],
            "stores": _kinds(self._settings.stores),
            "llm": self._model,
            "uptime_seconds": round(time.monotonic() - self._began),
            "version": version("lyrox"),
        }

    async def line(self) -> str:
        """One line for ``systemctl status``."""
        reasons = [state.reason for state in self._states().values()]
        connected = reasons.count(Reason.ONLINE)
        return f"{connected} of {len(reasons)} companies connected; language model: {self._model}"

    async def welcome(self, listen: str) -> list[str]:
        """What a person at the terminal needs after the start."""
        seen = await self._desk.overview()
        kinds = ", ".join(f"{name} {kind}" for name, kind in _kinds(self._settings.stores).items())
        slugs = [company["slug"] for company in seen["companies"]]
        return [
            f"LYROX {version('lyrox')} is running; health and metrics on http://{listen}",
            f"stores: {kinds}",
            f"language model: {self._model}",
            f"companies: {', '.join(slugs) or 'none yet: lyrox seed emilio-born'}",
            *_next_steps(slugs),
        ]

    async def _ask_mongo(self) -> None:
        await self._conversations.last(NOBODY, NOBODY, 1)

    def _company(self, row: Mapping[str, Any]) -> dict[str, Any]:
        state = self._states().get(UUID(row["id"]), State(Reason.STOPPED))
        return {
            "slug": row["slug"],
            "name": row["name"],
            "active": row["active"],
            "paused": row["paused"],
            "state": state.phase.value,
            "reason": state.reason.value,
            "sentence": state.sentence("en"),
        }


def _kinds(stores: StoreSettings) -> dict[str, str]:
    return {name: "by URL" if getattr(stores, name) else "private" for name in STORES}


def _next_steps(slugs: Iterable[str]) -> list[str]:
    first = next(iter(slugs), None)
    if first is None:
        return []
    return [
        f"chat without a phone: .venv/bin/lyrox chat {first}",
        f"pair a phone: .venv/bin/lyrox pair {first}",
    ]
